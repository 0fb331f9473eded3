import { connect, type Socket } from 'node:net';
import { eventually } from '@flotilla/testing';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ECHO, startTestServer, type TestServer } from '../testing/start-test-server.ts';
import { affordableConnections } from './affordable-connections.ts';

let server: TestServer;
let port: number;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.app.close();
});

async function listen(...options: Parameters<typeof startTestServer>): Promise<void> {
  server = await startTestServer(...options);
  port = Number(new URL(await server.listen()).port);
}

/** A peer that says no more than this, reads, and does not hang up by itself. */
async function say(bytes: string) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  const peer = { socket, heard: '', closed: false };
  socket.setEncoding('utf8').on('data', (part) => {
    peer.heard += part;
  });
  socket.on('error', () => undefined);
  const close = (): void => {
    peer.closed = true;
  };
  socket.on('end', close).on('close', close);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  if (bytes !== '') socket.write(bytes);
  return peer;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

/** Connections that the server has on its side. */
const open = (): Promise<number> =>
  new Promise((resolve) => server.app.server.getConnections((_error, count) => resolve(count)));

describe('a connection that says nothing', () => {
  test.each([
    ['from the beginning', ''],
    ['in the middle of a head', 'GET /healthz HTTP/1.1\r\nhost: local'],
    ['after an answer and half of another head', `${get('/healthz')}GET /hea`],
  ])('%s is answered 408 and closed, although its peer never hangs up', async (_when, bytes) => {
    await listen({}, { arrival: { headMs: 200, requestMs: 400 } });
    const peer = await say(bytes);
    await eventually(async () => (await open()) === 0);
    expect(peer.heard).toMatch(/HTTP\/1\.1 408 /);
  });

  test('gives way to callers when there are too many, the one that is silent for longest first', async () => {
    await listen({ maxConnections: 4 });
    await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
    const reader = await say(get('/v1/runs/r1/events'));
    await eventually(() => reader.heard.includes('run-created'));
    const silent: { closed: boolean }[] = [];
    for (let index = 0; index < 12; index += 1) silent.push(await say(''));
    const caller = await say(get('/healthz'));
    await eventually(() => /^HTTP\/1\.1 200 /.test(caller.heard));
    await eventually(() => silent.slice(0, 10).every(({ closed }) => closed));
    expect(silent.slice(10).map(({ closed }) => closed)).toEqual([false, false]);
    expect(reader.closed).toBe(false);
  });

  test('gives way before one that is idle between requests', async () => {
    await listen({ maxConnections: 2 });
    const idle = await say(get('/healthz'));
    await eventually(() => /^HTTP\/1\.1 200 /.test(idle.heard));
    const silent = await say('');
    const caller = await say(get('/healthz'));
    await eventually(() => /^HTTP\/1\.1 200 /.test(caller.heard));
    await eventually(() => silent.closed);
    expect(idle.closed).toBe(false);
    await say(get('/healthz'));
    await eventually(() => idle.closed);
  });
});

describe('connections', () => {
  test('are refused with a time to retry when all of them wait for answers, and streams leave half of them free', async () => {
    await listen({ maxConnections: 4 });
    await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
    const streams = [await say(get('/v1/runs/r1/events')), await say(get('/v1/runs/r1/events'))];
    await eventually(() => streams.every(({ heard }) => heard.includes('run-created')));
    const third = await say(get('/v1/runs/r1/events'));
    await eventually(() => /^HTTP\/1\.1 503 [\s\S]*event streams are open/.test(third.heard));
    third.socket.destroy();
    const release = Promise.withResolvers<void>();
    server.api.before = (method) => (method === 'listRuns' ? release.promise : undefined);
    const callsBefore = server.api.calls;
    const callers = [await say(get('/v1/runs')), await say(get('/v1/runs'))];
    await eventually(() => server.api.calls >= callsBefore + 2);
    const refused = await say(get('/healthz'));
    await eventually(() => /^HTTP\/1\.1 503 [\s\S]*retry-after: 1\r\n[\s\S]*"code":"OVERLOADED"/.test(refused.heard));
    release.resolve();
    await eventually(() => callers.every(({ heard }) => heard.startsWith('HTTP/1.1 200 ')));
    expect(streams.some(({ closed }) => closed)).toBe(false);
  });

  test.each([
    ['Max open files            200                  4096                 files', 136],
    ['Max open files            1048576              1048576              files', 10_000],
    ['Max open files            unlimited            unlimited            files', 10_000],
    ['Max open files            20                   20                   files', 16],
    ['', 10_000],
  ])('are as many as the limit on open files leaves room for: %s', (limits, expected) => {
    expect(affordableConnections(10_000, limits)).toBe(expected);
  });
});
