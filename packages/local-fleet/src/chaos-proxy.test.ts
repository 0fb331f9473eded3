import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ChaosProxy, startChaosProxy } from './chaos-proxy.ts';
import { eventually, within } from './eventually.ts';

/** Answers every chunk with the same bytes. */
let server: Server;
let proxy: ChaosProxy;
let received = '';
const further: ChaosProxy[] = [];
const atServer = new Set<Socket>();
const clients = new Set<Socket>();

beforeEach(async () => {
  received = '';
  server = createServer((socket) => {
    atServer.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => atServer.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
      socket.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await startChaosProxy(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  for (const socket of atServer) socket.destroy();
  await Promise.all([proxy, ...further.splice(0)].map((each) => each.stop()));
  await new Promise((resolve) => server.close(resolve));
});

interface Talk {
  socket: Socket;
  heard: () => string;
  error: () => string | undefined;
  /** Sends and gives how long the answer took. */
  ask(text: string, timeoutMs?: number): Promise<number>;
}

async function talk(): Promise<Talk> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  clients.add(socket);
  let heard = '';
  let code: string | undefined;
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  await once(socket, 'connect');
  return {
    socket,
    heard: () => heard,
    error: () => code,
    ask: async (text, timeoutMs = 5000) => {
      const startedAt = performance.now();
      socket.write(text);
      await eventually(() => heard.endsWith(text), { timeoutMs, intervalMs: 1, message: `the answer to ${text}` });
      return performance.now() - startedAt;
    },
  };
}

test('bytes go through both ways and are counted, and the scheme of the target is kept', async () => {
  const client = await talk();
  await client.ask('hello');
  expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}`);
  expect(proxy.counts()).toMatchObject({
    accepted: 1,
    'to-server': { forwarded: 5, swallowed: 0 },
    'to-client': { forwarded: 5, swallowed: 0 },
  });
});

test('an end of the one side ends the other', async () => {
  const client = await talk();
  await client.ask('hello');
  for (const socket of atServer) socket.end();
  await within(once(client.socket, 'end'), 2000, 'the end');
  client.socket.end();
  await eventually(() => proxy.openConnections() === 0);
});

describe('slow', () => {
  test('latency comes on top in each direction, and the order is kept under jitter', async () => {
    const client = await talk();
    await proxy.setMode({ kind: 'slow', latencyMs: 60, jitterMs: 40 });
    expect(await client.ask('a')).toBeGreaterThan(35);
    const text = Array.from({ length: 200 }, (_, index) => `${index},`);
    for (const part of text) client.socket.write(part);
    await eventually(() => client.heard().length === 1 + text.join('').length);
    expect(client.heard()).toBe(`a${text.join('')}`);
  });

  test('bandwidth limits what comes through in a second', async () => {
    const client = await talk();
    await proxy.setMode({ kind: 'slow', latencyMs: 0, bytesPerSecond: 50_000 });
    expect(await client.ask('x'.repeat(9_999).concat('y'))).toBeGreaterThan(190);
  });

  test('a change to pass lets the connection go on at full speed', async () => {
    const client = await talk();
    await proxy.setMode({ kind: 'slow', latencyMs: 150 });
    await client.ask('slow');
    await proxy.setMode({ kind: 'pass' });
    // The quickest of some: the machine may hold up any of them, and nothing but the proxy all of them.
    const tookMs: number[] = [];
    for (let asked = 0; asked < 10; asked += 1) tookMs.push(await client.ask('quick'));
    expect(Math.min(...tookMs)).toBeLessThan(120);
  });
});

describe('black hole', () => {
  test('held bytes arrive in order when it ends, on the same connection', async () => {
    const client = await talk();
    await client.ask('before');
    await proxy.setMode({ kind: 'black-hole', bytes: 'held' });
    client.socket.write('one');
    await eventually(() => proxy.counts()['to-server'].held === 3);
    client.socket.write('two');
    await eventually(() => proxy.counts()['to-server'].held === 6);
    expect(received).toBe('before');
    await proxy.setMode({ kind: 'pass' });
    await eventually(() => client.heard() === 'beforeonetwo');
    expect(client.error()).toBeUndefined();
  });

  test('lost bytes never arrive, and the connection that lost them is reset when it ends', async () => {
    const [client, idle] = [await talk(), await talk()];
    await Promise.all([client.ask('before'), idle.ask('idle')]);
    await proxy.setMode({ kind: 'black-hole', bytes: 'lost' });
    client.socket.write('lost');
    await eventually(() => proxy.counts()['to-server'].swallowed === 4);
    expect(client.socket.destroyed).toBe(false);
    await proxy.setMode({ kind: 'pass' });
    await eventually(() => client.error() === 'ECONNRESET');
    await idle.ask('still here');
    expect(received).not.toContain('lost');
  });

  test('new connections are accepted and get no answer', async () => {
    await proxy.setMode({ kind: 'black-hole', bytes: 'lost' });
    const client = await talk();
    await expect(client.ask('anyone?', 100)).rejects.toThrow('waited');
  });

  test('with a direction the other one works: requests arrive, answers do not', async () => {
    const client = await talk();
    await proxy.setMode({ kind: 'black-hole', bytes: 'lost', direction: 'to-client' });
    client.socket.write('request');
    await eventually(() => received === 'request');
    await eventually(() => proxy.counts()['to-client'].swallowed === 7);
    expect(client.heard()).toBe('');
  });
});

test('half-open: the server sees the end, the client sees nothing until it writes after the end of the mode', async () => {
  const client = await talk();
  await client.ask('before');
  await proxy.setMode({ kind: 'half-open' });
  await eventually(() => atServer.size === 0);
  client.socket.write('into nowhere');
  await eventually(() => proxy.counts()['to-server'].swallowed === 12);
  const later = await talk();
  expect(client.socket.readyState).toBe('open');
  await proxy.setMode({ kind: 'pass' });
  for (const { socket } of [client, later]) socket.write('anyone?');
  await eventually(() => client.error() === 'ECONNRESET' && later.error() === 'ECONNRESET');
  await (await talk()).ask('a new connection works');
});

test('a reset is seen as such by both sides', async () => {
  const client = await talk();
  await client.ask('before');
  expect(proxy.resetConnections()).toBe(1);
  await eventually(() => client.error() === 'ECONNRESET' && atServer.size === 0);
  expect(proxy.counts().reset).toBe(1);
});

test('refuse: new connections are refused on the same port, open ones go on', async () => {
  const client = await talk();
  await client.ask('before');
  const { port } = proxy;
  await proxy.setMode({ kind: 'refuse' });
  await expect(talk()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await client.ask('still here');
  await proxy.setMode({ kind: 'pass' });
  expect(proxy.port).toBe(port);
  await (await talk()).ask('back');
});

test('a target that is gone breaks the connection, and one that is back is reached again', async () => {
  const target = await startChaosProxy(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const front = await startChaosProxy(target.url);
  further.push(target, front);
  await target.setMode({ kind: 'refuse' });
  const lone = connect({ port: front.port, host: '127.0.0.1' });
  lone.on('error', () => lone.destroy());
  await eventually(() => lone.destroyed);
  await target.setMode({ kind: 'pass' });
  const again = connect({ port: front.port, host: '127.0.0.1' });
  again.write('ping');
  expect(String((await within(once(again, 'data'), 2000, 'an answer'))[0])).toBe('ping');
  again.destroy();
});
