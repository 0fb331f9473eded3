import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { StepContext } from '../step-context.ts';
import { RateLimitedError } from '../typed-errors.ts';
import { parseAllowList } from './address-guard.ts';
import { createHttpHandler } from './http.ts';
import { MAX_BODY_BYTES } from './http-answer.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

async function serve(answer: (seen: Seen, response: ServerResponse) => void): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk as string;
    const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
    seen.push(one);
    answer(one, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, seen };
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const context = {
  signal: new AbortController().signal,
  idempotencyKey: '00-run/call',
} as StepContext;

function call(input: object, allow: string, lookup?: () => Promise<{ address: string }[]>, signal = context.signal) {
  const handler = createHttpHandler({
    allow: parseAllowList(allow),
    nowMs: () => 0,
    ...(lookup === undefined ? {} : { lookup }),
  });
  return handler.run(handler.input?.parse(input), { ...context, signal });
}

describe('flotilla.http', () => {
  test('returns status, headers and the parsed body, and sends the idempotency key', async () => {
    const { port, seen } = await serve((_seen, response) => json(response, { fine: true }, 201));
    const output = await call(
      { method: 'POST', url: `http://127.0.0.1:${port}/orders?x=1`, body: { id: 7 }, headers: { 'X-Who': 'me' } },
      '127.0.0.1',
    );
    expect(output).toMatchObject({
      status: 201,
      body: { fine: true },
      headers: { 'content-type': 'application/json' },
    });
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: '/orders?x=1',
        body: '{"id":7}',
        headers: { 'content-type': 'application/json', 'idempotency-key': '00-run/call', 'x-who': 'me' },
      },
    ]);
  });

  test('sends text as text, and headers of the author win over the usual ones', async () => {
    const { port, seen } = await serve((_seen, response) => response.end('hello'));
    const url = `http://127.0.0.1:${port}/`;
    const headers = { 'Content-Type': 'text/csv', 'Idempotency-Key': 'mine' };
    await expect(call({ method: 'PUT', url, body: 'a,b', headers }, '127.0.0.1')).resolves.toMatchObject({
      body: 'hello',
    });
    expect(seen[0]).toMatchObject({ body: 'a,b', headers: { 'content-type': 'text/csv', 'idempotency-key': 'mine' } });
  });

  test('fails with the status and Retry-After of an answer that is not 2xx', async () => {
    const { port } = await serve((_seen, response) => response.writeHead(503, { 'retry-after': '2' }).end());
    await expect(call({ url: `http://127.0.0.1:${port}/x?token=secret` }, '127.0.0.1')).rejects.toMatchObject({
      code: 'HTTP_STEP_FAILED',
      status: 503,
      retryAfterMs: 2000,
      message: `GET http://127.0.0.1:${port}/x answered 503`,
    });
  });

  test('takes a status that the step accepts as a success, and no other', async () => {
    const { port } = await serve(({ url }, response) =>
      response.writeHead(Number(url.slice(1)), { etag: '"7"' }).end(),
    );
    const accepting = (status: number) =>
      call({ url: `http://127.0.0.1:${port}/${status}`, accept: [304, 404] }, '127.0.0.1');
    await expect(accepting(304)).resolves.toMatchObject({ status: 304, headers: { etag: '"7"' }, body: null });
    await expect(accepting(404)).resolves.toMatchObject({ status: 404 });
    await expect(accepting(200)).resolves.toMatchObject({ status: 200 });
    await expect(accepting(410)).rejects.toMatchObject({ code: 'HTTP_STEP_FAILED', status: 410 });
    await expect(call({ url: `http://127.0.0.1:${port}/304` }, '127.0.0.1')).rejects.toMatchObject({ status: 304 });
  });

  test('returns a redirect that the step accepts instead of following it', async () => {
    const { port, seen } = await serve((_seen, response) => response.writeHead(302, { location: '/there' }).end());
    const output = await call({ url: `http://127.0.0.1:${port}/`, accept: [302] }, '127.0.0.1');
    expect(output).toMatchObject({ status: 302, headers: { location: '/there' } });
    expect(seen).toHaveLength(1);
  });

  test('lets what the step retries be retried, by its status or code, and nothing else', async () => {
    const { port } = await serve(({ url }, response) =>
      response.writeHead(Number(url.slice(1)), { 'retry-after': '2' }).end(),
    );
    const retryOn = [409, 'ENOTFOUND', 'HTTP_TARGET_REFUSED'];
    const failing = (path: string, allow = '127.0.0.1', lookup?: () => Promise<never>) =>
      expect(call({ url: path, retryOn }, allow, lookup)).rejects;
    const local = `http://127.0.0.1:${port}`;
    const asked = { retryable: true, code: 'HTTP_STEP_FAILED', status: 409, retryAfterMs: 2000 };
    await failing(`${local}/409`).toMatchObject(asked);
    await failing(`${local}/404`).not.toHaveProperty('retryable');
    await failing(`${local}/429`).toBeInstanceOf(RateLimitedError);
    const missing = (code: string) => () => Promise.reject<never>(Object.assign(new Error('no such name'), { code }));
    const name = 'http://missing.example/';
    await failing(name, '', missing('ENOTFOUND')).toMatchObject({ code: 'ENOTFOUND', retryable: true });
    await failing(name, '', missing('EACCES')).not.toHaveProperty('retryable');
    await failing(local, '').toMatchObject({ code: 'HTTP_TARGET_REFUSED', retryable: true });
  });

  test('refuses a local server that is not in the allow-list, without connecting', async () => {
    const { port, seen } = await serve((_seen, response) => response.end());
    await expect(call({ url: `http://127.0.0.1:${port}/` }, '')).rejects.toMatchObject({ code: 'HTTP_TARGET_REFUSED' });
    await expect(call({ url: `http://localhost:${port}/` }, '')).rejects.toMatchObject({ code: 'HTTP_TARGET_REFUSED' });
    expect(seen).toEqual([]);
  });

  test('connects to the address that was checked: a name that changes its mind is asked once', async () => {
    const { port, seen } = await serve((_seen, response) => response.end('first'));
    let asked = 0;
    const rebinding = () => Promise.resolve([{ address: ++asked === 1 ? '127.0.0.1' : '169.254.169.254' }]);
    const url = `http://rebind.example:${port}/`;
    await expect(call({ url }, '127.0.0.0/8', rebinding)).resolves.toMatchObject({ body: 'first' });
    expect(asked).toBe(1);
    expect(seen[0]?.headers.host).toBe(`rebind.example:${port}`);
    await expect(call({ url }, '127.0.0.0/8', rebinding)).rejects.toMatchObject({ code: 'HTTP_TARGET_REFUSED' });
    expect(seen).toHaveLength(1);
  });

  test('checks each redirect anew', async () => {
    const inside = await serve((_seen, response) => response.end('secret'));
    const { port } = await serve((_seen, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end(),
    );
    await expect(call({ url: `http://127.0.0.1:${port}/` }, `127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'HTTP_TARGET_REFUSED',
    });
    expect(inside.seen).toEqual([]);
  });

  test('passes no secret on to another origin: its headers stay behind, and a body with one is not sent', async () => {
    const other = await serve((_seen, response) => response.end());
    const { port, seen } = await serve((_seen, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${other.port}/` }).end(),
    );
    const given = { method: 'POST', url: `http://127.0.0.1:${port}/`, secrets: ['s3cret'] };
    await call({ ...given, headers: { 'x-own': 'key s3cret', 'x-other': 'kept' }, body: 'plain' }, '127.0.0.1');
    expect(seen[0]?.headers['x-own']).toBe('key s3cret');
    expect(other.seen[0]?.headers).not.toHaveProperty('x-own');
    expect(other.seen[0]).toMatchObject({ body: 'plain', headers: { 'x-other': 'kept' } });
    await expect(call({ ...given, body: { key: 's3cret' } }, '127.0.0.1')).rejects.toMatchObject({ retryable: false });
    expect(other.seen).toHaveLength(1);
  });

  test('follows three redirects and no fourth', async () => {
    const { port } = await serve(({ url }, response) => {
      const left = Number(url.slice(1));
      if (left === 0) response.end('there');
      else response.writeHead(307, { location: `/${left - 1}` }).end();
    });
    await expect(call({ url: `http://127.0.0.1:${port}/3` }, '127.0.0.1')).resolves.toMatchObject({ body: 'there' });
    await expect(call({ url: `http://127.0.0.1:${port}/4` }, '127.0.0.1')).rejects.toMatchObject({
      code: 'HTTP_STEP_FAILED',
      retryable: false,
    });
  });

  test('a redirect to another origin takes no credentials along, and 303 turns POST into GET', async () => {
    const other = await serve((_seen, response) => response.end());
    const { port, seen } = await serve((_seen, response) =>
      response.writeHead(303, { location: `http://127.0.0.1:${other.port}/` }).end(),
    );
    const headers = { Authorization: 'Bearer x', Cookie: 'a=b', 'X-Other': 'kept' };
    await call({ method: 'POST', url: `http://127.0.0.1:${port}/`, body: {}, headers }, '127.0.0.1');
    expect(seen[0]?.headers.authorization).toBe('Bearer x');
    expect(other.seen[0]).toMatchObject({ method: 'GET', body: '', headers: { 'x-other': 'kept' } });
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(other.seen[0]?.headers).not.toHaveProperty('cookie');
    expect(other.seen[0]?.headers).not.toHaveProperty('content-type');
  });

  test('refuses an answer above the limit and one that never ends', async () => {
    const { port } = await serve((_seen, response) => {
      const chunk = Buffer.alloc(65_536, 'x');
      const push = () => {
        if (!response.destroyed) response.write(chunk, push);
      };
      push();
    });
    await expect(call({ url: `http://127.0.0.1:${port}/` }, '127.0.0.1')).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    expect(MAX_BODY_BYTES).toBe(262_144);
  });

  test('times out with a retryable code', async () => {
    const { port } = await serve(() => undefined);
    await expect(call({ url: `http://127.0.0.1:${port}/`, timeoutMs: 30 }, '127.0.0.1')).rejects.toMatchObject({
      code: 'ETIMEDOUT',
    });
  });

  test('ends with the reason of the AbortSignal, also while the name is looked up', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const never = () => new Promise<{ address: string }[]>(() => undefined);
    const calling = call({ url: 'http://slow.example/' }, '', never, controller.signal);
    controller.abort(reason);
    await expect(calling).rejects.toBe(reason);
  });

  test('keeps the system code of a connection that is refused or reset', async () => {
    const { port } = await serve((_seen, response) => response.socket?.destroy());
    await expect(call({ url: `http://127.0.0.1:${port}/` }, '127.0.0.1')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(call({ url: 'http://127.0.0.1:1/' }, '127.0.0.1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const missing = () => Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }));
    await expect(call({ url: 'http://missing.example/' }, '', missing)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test.each([
    [{ url: 'http://x', headers: { Host: 'y' } }],
    [{ url: 'http://x', headers: { 'transfer-encoding': 'chunked' } }],
    [{ url: 'http://x', body: 1 }],
    [{ url: '' }],
    [{ url: 'http://x', method: 'TRACE' }],
    [{ url: 'http://x', other: 1 }],
    [{ url: 'http://x', accept: [200] }],
    [{ url: 'http://x', accept: ['304'] }],
    [{ url: 'http://x', retryOn: ['not a code'] }],
    [{ url: 'http://x', retryOn: [600] }],
  ])('refuses the input %j', (input) => {
    const handler = createHttpHandler({ allow: parseAllowList(''), nowMs: () => 0 });
    expect(handler.input?.safeParse(input).success).toBe(false);
  });

  test.each([
    ['a character that headers do not have', { url: 'http://127.0.0.1:1/', headers: { 'x-name': 'Ada ☕' } }],
    ['a line break', { url: 'http://127.0.0.1:1/', headers: { 'x-a': 'b\r\nx: y' } }],
    ['a NUL', { url: 'http://127.0.0.1:1/', headers: { 'x-a': 'b\0' } }],
    ['a name that is none', { url: 'http://127.0.0.1:1/', headers: { 'x a': 'b' } }],
    ['a name with a colon', { url: 'http://127.0.0.1:1/', headers: { 'x:a': 'b' } }],
    ['no URL', { url: 'not a url' }],
    ['a port that is none', { url: 'http://127.0.0.1:99999/' }],
  ])('refuses an input with %s before anybody is connected to, without its value', (_what, input) => {
    const handler = createHttpHandler({ allow: parseAllowList('127.0.0.1'), nowMs: () => 0 });
    const result = handler.input?.safeParse(input);
    expect(result?.success).toBe(false);
    expect(result?.error?.message).not.toContain('Ada');
  });

  test('decodes a compressed answer of a server that compresses without being asked', async () => {
    const { port } = await serve((_seen, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync('{"order":1}'));
    });
    const output = await call({ method: 'POST', url: `http://127.0.0.1:${port}/`, body: {} }, '127.0.0.1');
    expect(output).toMatchObject({ body: { order: 1 } });
  });
});
