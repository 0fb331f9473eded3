import { connect } from 'node:net';
import { eventually } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ECHO, redisIsAway, startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
let url: string;
beforeEach(async () => {
  server = await startTestServer();
  url = await server.listen();
  await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
});
afterEach(async () => {
  await server.app.close();
});

async function open(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(url + path, { headers });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    response,
    /** The text so far, once it has what is looked for. */
    async until(wanted: string): Promise<string> {
      while (!text.includes(wanted)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`the stream ended without ${wanted}: ${text}`);
        text += value;
      }
      return text;
    },
    async rest(): Promise<string> {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return text;
        text += value;
      }
    },
    cancel: () => reader.cancel(),
  };
}

describe('GET /v1/runs/{id}/events', () => {
  test('sends the history, then what happens, then the end, and closes', async () => {
    const stream = await open('/v1/runs/r1/events');
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await stream.until('run-created')).toContain(
      'id: 0\nevent: run-created\ndata: {"type":"run-created","seq":0',
    );
    server.api.append('r1', { type: 'step-ready', stepId: 'say' });
    expect(await stream.until('step-ready')).toContain('"stepId":"say"');
    server.api.finish('r1', 'succeeded');
    const text = await stream.rest();
    expect(text).toMatch(
      /id: 2\nevent: run-succeeded\n.*\n\nevent: end\ndata: {"runId":"r1","status":"succeeded"}\n\n$/,
    );
  });

  test('resumes after Last-Event-ID, or after the event that the query names', async () => {
    for (let index = 0; index < 500; index += 1) server.api.append('r1', { type: 'step-ready', stepId: `s${index}` });
    server.api.finish('r1', 'failed');
    const byHeader = await (await open('/v1/runs/r1/events', { 'last-event-id': '498' })).rest();
    const byQuery = await (await open('/v1/runs/r1/events?after=498')).rest();
    expect(byHeader).toBe(byQuery);
    expect(byHeader.match(/^id: \d+/gm)).toEqual(['id: 499', 'id: 500', 'id: 501']);
    const all = await (await open('/v1/runs/r1/events')).rest();
    expect(all.match(/^id: \d+/gm)).toHaveLength(502);
  });

  test('finds the end without hints', async () => {
    server.api.hintsAreSent = false;
    const stream = await open('/v1/runs/r1/events');
    await stream.until('run-created');
    server.api.finish('r1', 'cancelled');
    expect(await stream.rest()).toContain('"status":"cancelled"');
  });

  test('sends only the end when asked for no more', async () => {
    const stream = await open('/v1/runs/r1/events?only=end');
    await stream.until(': open');
    server.api.finish('r1', 'timed-out');
    expect(await stream.rest()).toBe(': open\n\nevent: end\ndata: {"runId":"r1","status":"timed-out"}\n\n');
  });

  test('outlives a store that is away for a moment', async () => {
    const stream = await open('/v1/runs/r1/events');
    await stream.until('run-created');
    let failures = 0;
    server.api.before = () => {
      failures += 1;
      if (failures <= 2) throw redisIsAway;
    };
    server.api.finish('r1', 'succeeded');
    expect(await stream.rest()).toContain('event: end');
    expect(failures).toBeGreaterThan(2);
  });

  test('ends with the server', async () => {
    const stream = await open('/v1/runs/r1/events');
    await stream.until('run-created');
    await server.app.close();
    expect(await stream.rest()).not.toContain('event: end');
  });

  test('refuses more streams than the limit, and lets new ones in when old ones have gone', async () => {
    await server.app.close();
    server = await startTestServer({ maxEventStreams: 1 });
    url = await server.listen();
    await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
    const first = await open('/v1/runs/r1/events');
    const second = await fetch(`${url}/v1/runs/r1/events`);
    expect([second.status, ((await second.json()) as { code: string }).code]).toEqual([503, 'OVERLOADED']);
    await first.cancel();
    const isServed = async () => {
      const stream = await open('/v1/runs/r1/events');
      await stream.cancel();
      return stream.response.status === 200;
    };
    await eventually(isServed, { message: 'a stream' });
  });

  test('forgets a reader that hangs up before its run was read, also one that waits behind another answer', async () => {
    await server.app.close();
    server = await startTestServer({ maxEventStreams: 2 });
    url = await server.listen();
    await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
    const closed = connectionsClosed(server);
    const reading = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    let reads = 0;
    server.api.before = (method) => {
      if (method !== 'readRun') return undefined;
      reads += 1;
      if (reads === 2) reading.resolve();
      return release.promise;
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /v1/runs/r1/events HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(2));
    await reading.promise;
    const third = await fetch(`${url}/v1/runs/r1/events`);
    expect([third.status, ((await third.json()) as { code: string }).code]).toEqual([503, 'OVERLOADED']);
    socket.destroy();
    await closed;
    release.resolve();
    server.api.before = () => undefined;
    const streams = [await open('/v1/runs/r1/events'), await open('/v1/runs/r1/events')];
    expect(streams.map(({ response }) => response.status)).toEqual([200, 200]);
    for (const stream of streams) await stream.cancel();
  });

  test('does not read the history ahead of a reader that takes nothing', async () => {
    const text = 'x'.repeat(10_000);
    for (let index = 0; index < 5000; index += 1) server.api.append('r1', { type: 'step-ready', stepId: text });
    const pages: number[] = [];
    server.api.before = (method) => {
      if (method === 'readHistory') pages.push(performance.now());
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /v1/runs/r1/events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.once('readable', resolve));
    // 25 pages of 2 MB: the kernel's buffers take a few, then reading has to stop until the reader goes on.
    await expect(settled(() => pages.length)).resolves.toBeLessThan(20);
    socket.destroy();
  });

  test.each(['/v1/runs/r1/events?after=x', '/v1/runs/r1/events?only=start'])('refuses %s', async (path) => {
    expect((await fetch(url + path)).status).toBe(400);
  });

  test('refuses a Last-Event-ID that it never gave', async () => {
    const answer = await fetch(`${url}/v1/runs/r1/events`, { headers: { 'last-event-id': 'abc' } });
    expect(await answer.json()).toMatchObject({ code: 'VALIDATION_FAILED', problems: [{ path: '/last-event-id' }] });
  });
});

/** Resolves when the next connection of the server has closed on its side. */
function connectionsClosed({ app }: TestServer): Promise<void> {
  return new Promise((resolve) => {
    app.server.once('connection', (socket) => socket.once('close', () => setImmediate(resolve)));
  });
}

/** The value once it has not changed for 300 ms. */
async function settled(read: () => number): Promise<number> {
  const deadline = Date.now() + 10_000;
  let value = read();
  let since = Date.now();
  while (Date.now() - since < 300 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (read() !== value) {
      value = read();
      since = Date.now();
    }
  }
  return value;
}
