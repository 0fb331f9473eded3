import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { readSettings } from './client-options.ts';
import { readEventStream } from './event-stream.ts';
import { Transport } from './transport.ts';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
});

async function serve(listener: RequestListener): Promise<Transport> {
  const created = createServer(listener);
  server = created;
  await new Promise<void>((resolve) => created.listen(0, '127.0.0.1', resolve));
  return new Transport(readSettings({ url: `http://127.0.0.1:${(created.address() as AddressInfo).port}` }));
}

async function read(transport: Transport, lastEventId?: string) {
  const signal = new AbortController().signal;
  const messages = [];
  const options = { signal, ...(lastEventId !== undefined && { lastEventId }) };
  for await (const { id, event, data } of readEventStream(transport, '/events', options))
    messages.push({ id, event, data });
  return messages;
}

describe('readEventStream', () => {
  test('reads messages however their bytes are cut', async () => {
    const transport = await serve((request, response) => {
      expect(request.headers['last-event-id']).toBe('7');
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      const bytes = Buffer.from(
        ': open\n\nid: 8\nevent: step-ready\ndata: {"text":"ü🚀"}\n\nevent: end\r\ndata: {}\r\n\r\n',
      );
      let at = 0;
      const timer = setInterval(() => {
        if (at < bytes.length) response.write(bytes.subarray(at, at + 7));
        else response.end();
        if (at >= bytes.length) clearInterval(timer);
        at += 7;
      }, 1);
    });
    expect(await read(transport, '7')).toEqual([
      { id: '8', event: 'step-ready', data: '{"text":"ü🚀"}' },
      { id: undefined, event: 'end', data: '{}' },
    ]);
  });

  test.each<[string, RequestListener, string]>([
    [
      'a problem',
      (_request, response) => {
        response.writeHead(404, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify({ code: 'RUN_NOT_FOUND', detail: 'no such run' }));
      },
      'RUN_NOT_FOUND',
    ],
    ['a page', (_request, response) => response.end('<html>'), 'SCHEDULER_UNREACHABLE'],
    [
      'a broken stream',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(': open\n\n', () => response.destroy());
      },
      'SCHEDULER_UNREACHABLE',
    ],
  ])('throws a typed error for %s', async (_what, listener, code) => {
    const transport = await serve(listener);
    await expect(read(transport)).rejects.toMatchObject({ code });
  });
});
