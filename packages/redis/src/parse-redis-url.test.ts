import { inspect } from 'node:util';
import { FlotillaError } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { describeTarget, parseRedisUrl } from './parse-redis-url.ts';

const problemsOf = (url: string): string[] => {
  try {
    parseRedisUrl(url);
  } catch (error) {
    expect(error).toBeInstanceOf(FlotillaError);
    expect((error as FlotillaError).code).toBe('REDIS_URL_INVALID');
    return (error as FlotillaError).problems.map(({ message }) => message);
  }
  return [];
};

describe('parseRedisUrl', () => {
  test.each([
    ['redis://localhost', 'redis://localhost:6379/0'],
    ['redis://10.0.0.1:7000/3', 'redis://10.0.0.1:7000/3'],
    ['REDIS://[::1]:7000/', 'redis://[::1]:7000/0'],
    ['rediss://user:secret@my-redis.example', 'rediss://my-redis.example:6379/0'],
    ['redis+sentinel://a,b:7,c/main', 'redis+sentinel://a:26379,b:7,c:26379/main/0'],
    ['rediss+sentinel://:pw@a/main/2', 'rediss+sentinel://a:26379/main/2'],
    ['redis+cluster://a:1,[::1],c', 'redis+cluster://a:1,[::1]:6379,c:6379'],
    ['rediss+cluster://a/0', 'rediss+cluster://a:6379'],
  ])('%s leads to %s', (url, target) => {
    expect(describeTarget(parseRedisUrl(url))).toBe(target);
  });

  test('user, password and the secrets of sentinels are decoded', () => {
    expect(
      parseRedisUrl('redis+sentinel://bob:p%40%2Fss@a:1/main?sentinelUsername=sam&sentinelPassword=s%26p'),
    ).toMatchObject({ username: 'bob', password: 'p@/ss', sentinelUsername: 'sam', sentinelPassword: 's&p' });
  });

  test.each([
    ['', /empty/],
    ['localhost:6379', /must start with/],
    ['http://localhost', /must start with/],
    ['redis://', /host is missing/],
    ['redis://a b', /white space/],
    ['redis://a:0', /port/],
    ['redis://a:65536', /port/],
    ['redis://a:port', /port/],
    ['redis://::1', /not a host name/],
    ['redis://[12]', /not a host name/],
    ['redis://a,b', /several hosts/],
    ['redis://a/x', /database/],
    ['redis://a/-1', /database/],
    ['redis://a/1/2', /database number only/],
    ['redis://a#x', /#/],
    ['redis://a?db=1', /no parameters/],
    ['redis://bob@a', /no password/],
    ['redis://:p%zz@a', /%/],
    ['redis://:p@ss@a', /percent-encoded/],
    ['redis://:p/ss@a', /percent-encoded/],
    ['redis+sentinel://a', /name of the master/],
    ['redis+sentinel://a/{x}', /name of the master/],
    ['redis+sentinel://a/main?tls=1', /only parameters/],
    ['redis+cluster://a/1', /database 0 only/],
  ])('%s is refused', (url, problem) => {
    expect(problemsOf(url).join('\n')).toMatch(problem);
  });

  test('all problems are told at once', () => {
    expect(problemsOf('redis+sentinel://:@a:x,b:99999/ma in/zz?q=1')).toHaveLength(7);
  });

  test('no error shows a password, wherever its characters put it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 12 }),
        fc.constantFrom('redis', 'redis+sentinel', 'redis+cluster', 'rediss'),
        (noise, scheme) => {
          const secret = `Zq9${noise}Xv7`;
          let shown = '';
          try {
            parseRedisUrl(`${scheme}://bob:${secret}@host:bad`);
          } catch (error) {
            shown = inspect(error, { depth: 5 }).replaceAll(/at .*/g, '');
          }
          expect(shown).not.toBe('');
          expect(shown).not.toMatch(/Zq9|Xv7|bob/);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('what is written is read back', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/);
    const secret = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(name, fc.integer({ min: 1, max: 65_535 }), secret, secret, (host, port, username, password) => {
        const url = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${port}/5`;
        expect(parseRedisUrl(url)).toEqual({
          kind: 'standalone',
          tls: false,
          username,
          password,
          server: { host, port },
          database: 5,
        });
      }),
    );
  });
});
