import { connect } from 'node:net';
import { within } from '@flotilla/testing';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ECHO, startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
afterEach(async () => {
  await server.app.close();
});

const KEY = 'key-of-sixteen-characters';
const ROUTES = [
  ['GET', '/v1/runs'],
  ['POST', '/v1/runs'],
  ['POST', '/v1/runs/batch'],
  ['GET', '/v1/runs/r'],
  ['GET', '/v1/runs/r/steps'],
  ['GET', '/v1/runs/r/history'],
  ['GET', '/v1/runs/r/events'],
  ['GET', '/v1/runs/r/checkpoints'],
  ['POST', '/v1/runs/r/cancel'],
  ['POST', '/v1/runs/r/pause'],
  ['POST', '/v1/runs/r/resume'],
  ['GET', '/v1/workflows'],
  ['POST', '/v1/workflows'],
  ['GET', '/v1/workflows/w'],
  ['DELETE', '/v1/workflows/w'],
  ['POST', '/v1/validate'],
  ['GET', '/v1/agents'],
  ['GET', '/metrics'],
  ['GET', '/openapi.json'],
  ['GET', '/nowhere'],
] as const;

describe('API keys', () => {
  test.each(ROUTES)('%s %s needs a valid key', async (method, url) => {
    server = await startTestServer({ apiKeys: ['another-key-of-sixteen', KEY] });
    for (const authorization of [undefined, 'Bearer nope', `Basic ${KEY}`, KEY, `Bearer ${KEY}x`]) {
      const { status, problem, headers } = await server.send(method, url, undefined, {
        ...(authorization && { authorization }),
      });
      expect([status, problem.code]).toEqual([401, 'UNAUTHORIZED']);
      expect(headers['www-authenticate']).toBe('Bearer');
    }
    const { status } = await server.send(method, url, undefined, { authorization: `Bearer ${KEY}` });
    expect(status).not.toBe(401);
    expect(server.api.calls).toBeLessThanOrEqual(1);
  });

  test.each(['/healthz', '/readyz'])('%s needs none', async (url) => {
    server = await startTestServer({ apiKeys: [KEY] });
    expect((await server.send('GET', url)).status).toBe(200);
  });

  test('are asked for before a body is read', async () => {
    server = await startTestServer({ apiKeys: [KEY] });
    expect((await server.send('POST', '/v1/runs', '{nonsense')).status).toBe(401);
  });

  test('are needed where other machines can connect', async () => {
    server = await startTestServer();
    await expect(startTestServer({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('the Host header', () => {
  test.each([
    'evil.example',
    'evil.example:7070',
    '127.0.0.1.evil.example',
    '192.168.1.7',
    '[::2]:7070',
    'localhost.evil',
    '[::1].evil.example',
    '[::1]evil.example:7070',
    '[::1]:7070.evil.example',
    '[::1]:7070:80',
    '[[::1]]',
    '[localhost]',
    '[127.0.0.1]',
    '::1',
    'localhost:',
    'localhost:7070:80',
    '127.0.0.1:80@evil.example',
    '127.0.0.256',
    'localhost/.evil.example',
  ])('%s is refused on a loopback server', async (host) => {
    server = await startTestServer();
    const { status, problem } = await server.send('GET', '/v1/runs', undefined, { host });
    expect([status, problem.code]).toEqual([421, 'HOST_REFUSED']);
  });

  test.each(['localhost', 'localhost:7070', '127.0.0.1:8', '127.9.9.9', '[::1]:7070', 'LOCALHOST:1'])(
    '%s is served on a loopback server',
    async (host) => {
      server = await startTestServer();
      expect((await server.send('GET', '/v1/runs', undefined, { host })).status).toBe(200);
    },
  );

  test('is not looked at elsewhere, where a key is needed anyway', async () => {
    server = await startTestServer({ host: '0.0.0.0', apiKeys: [KEY] });
    const headers = { host: 'flotilla.example', authorization: `Bearer ${KEY}` };
    expect((await server.send('GET', '/v1/runs', undefined, headers)).status).toBe(200);
  });

  test('a web page of another host is refused by its Origin', async () => {
    server = await startTestServer();
    for (const origin of ['https://evil.example', 'null']) {
      const { status, problem } = await server.send('POST', '/v1/runs/r/cancel', undefined, { origin });
      expect([status, problem.code]).toEqual([403, 'FORBIDDEN']);
    }
    expect((await server.send('GET', '/v1/runs', undefined, { origin: 'http://localhost:7071' })).status).toBe(200);
  });
});

describe('what is not there', () => {
  test('an unknown path is a 404 problem', async () => {
    server = await startTestServer();
    const { status, problem } = await server.send('GET', '/v1/nothing/here?a=1');
    expect([status, problem.code, problem.instance]).toEqual([404, 'ROUTE_NOT_FOUND', '/v1/nothing/here']);
  });

  test.each([
    ['DELETE', '/v1/runs/r', 'GET, HEAD'],
    ['PUT', '/v1/runs?x=1', 'GET, HEAD, POST'],
    ['POST', '/v1/runs/r', 'GET, HEAD'],
    ['GET', '/v1/runs/r/cancel', 'POST'],
  ] as const)('%s %s is a 405 problem that lists the methods', async (method, url, allow) => {
    server = await startTestServer();
    const { status, problem, headers } = await server.send(method, url);
    expect([status, problem.code, headers['allow']]).toEqual([405, 'METHOD_NOT_ALLOWED', allow]);
  });

  test.each(['/v1/runs/%ZZ', `/v1/runs/${'x'.repeat(2000)}`])('the path %s is a 4xx problem', async (url) => {
    server = await startTestServer();
    const { status, problem } = await server.send('GET', url);
    expect([status, problem.code]).toEqual([400, 'BAD_HTTP']);
  });
});

describe('overload', () => {
  test('is refused at once with a time to retry, and leaves the probes alone', async () => {
    server = await startTestServer({ maxInFlight: 2 });
    let release: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    server.api.before = (method) => (method === 'createRun' ? blocked : undefined);
    const url = await server.listen();
    const begin = () =>
      fetch(`${url}/v1/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ definition: ECHO }),
      });
    const working = [begin(), begin()];
    while (server.api.calls < 3) await new Promise((resolve) => setImmediate(resolve));
    const refused = await fetch(`${url}/v1/runs`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ code: 'OVERLOADED', retryAfterMs: expect.any(Number) });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    release();
    expect((await Promise.all(working)).map(({ status }) => status)).toEqual([201, 201]);
    expect((await fetch(`${url}/v1/runs`)).status).toBe(200);
  });
});

describe('bytes that are no request', () => {
  async function answerTo(bytes: string): Promise<string> {
    const url = new URL(await server.listen());
    return new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), '127.0.0.1', () => socket.write(bytes));
      let text = '';
      socket.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
  }

  test.each([
    ['broken HTTP', 'nonsense\r\n\r\n'],
    ['a head that is too large', `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['two lengths', 'POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}'],
  ])('%s is a 4xx problem document', async (_what, bytes) => {
    server = await startTestServer();
    const answer = await answerTo(bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain('"code":"BAD_HTTP"');
  });

  test.each([
    ['head', 'GET /healthz HTTP/1.1\r\nhost: local'],
    [
      'body',
      'POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"a"',
    ],
  ])('a request whose %s arrives too slowly is ended with a problem document', async (_what, bytes) => {
    server = await startTestServer({}, { arrival: { headMs: 200, requestMs: 400 } });
    const answer = await within(answerTo(bytes), 3000, 'the refusal');
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"REQUEST_TOO_SLOW"');
  });

  test('a body that is longer than the limit is answered although it is still being sent', async () => {
    server = await startTestServer();
    const url = await server.listen();
    const body = JSON.stringify({ workflow: 'w', input: 'x'.repeat(10_000_000) });
    const answer = await fetch(`${url}/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('closing', () => {
  test('hangs up on a connection that never sends its request', async () => {
    server = await startTestServer();
    const url = new URL(await server.listen());
    const socket = connect(Number(url.port), '127.0.0.1');
    await new Promise((resolve) => socket.write('GET / HTTP/1.1\r\nhost: lo', resolve));
    const hungUp = new Promise((resolve) => socket.once('close', resolve));
    socket.once('error', () => undefined);
    await within(server.app.close(), 8000, 'the server to close');
    await hungUp;
    await expect(fetch(`${url.origin}/healthz`)).rejects.toThrow();
  }, 15_000);

  test('lets a request end that has begun', async () => {
    server = await startTestServer();
    const url = await server.listen();
    let release: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    server.api.before = () => {
      begun();
      return blocked;
    };
    const answer = fetch(`${url}/v1/runs`);
    await hasBegun;
    const closed = server.app.close();
    release();
    expect((await answer).status).toBe(200);
    await closed;
  });
});
