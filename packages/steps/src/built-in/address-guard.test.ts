import type { FlotillaError } from '@flotilla/contracts';
import { describe, expect, jest, test } from '@jest/globals';
import { checkTarget, parseAllowList } from './address-guard.ts';

const nothing = parseAllowList(undefined);

function check(url: string, allow = nothing, addresses: string[] = []) {
  return checkTarget(new URL(url), allow, () => Promise.resolve(addresses.map((address) => ({ address }))));
}

describe('checkTarget', () => {
  test.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '0.0.0.0',
    '10.0.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '169.254.169.254',
    '0xa9fea9fe',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.192',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[::127.0.0.1]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::10.0.0.1]',
    '[64:ff9b:1::10.0.0.1]',
    '[2002:7f00:1::]',
    '[2001::1]',
    '[fe80::1]',
    '[fec0::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[::5efe:7f00:1]',
  ])('refuses http://%s', async (host) => {
    await expect(check(`http://${host}/`)).rejects.toMatchObject({ code: 'HTTP_TARGET_REFUSED', retryable: false });
  });

  test.each(['10.0.0.7', '::1', '::ffff:10.0.0.7', '169.254.169.254'])('refuses a name for %s', async (address) => {
    await expect(check('http://innocent.example/', nothing, [address])).rejects.toThrow(
      `innocent.example (${address}) is not a public address`,
    );
  });

  test('refuses a name that has a private address beside a public one', async () => {
    await expect(check('http://both.example/', nothing, ['8.8.8.8', '10.0.0.1'])).rejects.toMatchObject({
      code: 'HTTP_TARGET_REFUSED',
    });
  });

  test('passes public addresses as they were resolved', async () => {
    await expect(check('https://ok.example/', nothing, ['8.8.8.8', '2606:4700::1'])).resolves.toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
    await expect(check('http://[::ffff:8.8.8.8]/')).resolves.toHaveLength(1);
  });

  test.each(['ftp://8.8.8.8/', 'file:///etc/passwd', 'gopher://8.8.8.8/', 'http://user:secret@8.8.8.8/'])(
    'refuses %s',
    async (url) => {
      await expect(check(url)).rejects.toMatchObject({ code: 'HTTP_TARGET_REFUSED' });
    },
  );

  test('does not ask a resolver about literal addresses', async () => {
    const lookup = jest.fn(() => Promise.resolve([{ address: '8.8.8.8' }]));
    await expect(checkTarget(new URL('http://10.0.0.1/'), nothing, lookup)).rejects.toThrow();
    expect(lookup).not.toHaveBeenCalled();
  });

  test('a name without addresses is refused', async () => {
    await expect(check('http://none.example/')).rejects.toThrow('has no address');
  });
});

describe('parseAllowList', () => {
  const allow = parseAllowList(' Localhost , 127.0.0.1:8080, [::1]:90,10.1.0.0/16, fd00::/8 ,');

  test('permits hosts, hosts with port and networks', async () => {
    await expect(check('http://localhost:1234/', allow, ['127.0.0.1', '::1'])).resolves.toHaveLength(2);
    await expect(check('http://127.0.0.1:8080/', allow)).resolves.toHaveLength(1);
    await expect(check('http://[::1]:90/', allow)).resolves.toHaveLength(1);
    await expect(check('http://10.1.2.3/', allow)).resolves.toHaveLength(1);
    await expect(check('http://[::ffff:10.1.2.3]/', allow)).resolves.toHaveLength(1);
    await expect(check('http://db.example/', allow, ['10.1.2.3', 'fd00::1'])).resolves.toHaveLength(2);
  });

  test('permits nothing beside them', async () => {
    await expect(check('http://127.0.0.1:8081/', allow)).rejects.toThrow();
    await expect(check('http://[::1]/', allow)).rejects.toThrow();
    await expect(check('http://10.2.0.1/', allow)).rejects.toThrow();
    await expect(check('http://other.example/', allow, ['127.0.0.1'])).rejects.toThrow();
  });

  test('knows the default port of the scheme', async () => {
    await expect(check('http://10.0.0.1/', parseAllowList('10.0.0.1:80'))).resolves.toHaveLength(1);
    await expect(check('https://10.0.0.1/', parseAllowList('10.0.0.1:80'))).rejects.toThrow();
  });

  test('tells every entry that it cannot read', () => {
    try {
      parseAllowList('10.0.0.0/99, a b, http://x, fine.example, x@y');
      throw new Error('accepted');
    } catch (error) {
      expect((error as FlotillaError).code).toBe('CONFIG_INVALID');
      expect((error as FlotillaError).problems).toHaveLength(4);
    }
  });
});
