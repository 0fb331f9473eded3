import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json } from '@flotilla/contracts';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import { builtInHandlers } from '@flotilla/steps';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createExecutorWorld, type ExecutorWorld } from './testing/executor-world.ts';

const PREFIX = 'FLOTILLA_SECRET_';
const SECRET = 'k3y/with "all" & s0rts of+characters';
const namespace = testNamespace(import.meta.url);
const connection = connectRedis(sharedRedis().url, 'commands');
const seen: { url: string; token: unknown; body: string }[] = [];
const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
  let body = '';
  for await (const chunk of request) body += chunk as string;
  const { url = '', headers } = request;
  seen.push({ url, token: headers['x-token'], body });
  response.writeHead(url.startsWith('/refused') ? 403 : 200, {
    'content-type': 'application/json',
    'x-echo': 'echoed',
  });
  response.end(JSON.stringify({ url, token: headers['x-token'], body }));
});

let world: ExecutorWorld;
let origin: string;
beforeAll(async () => {
  process.env[`${PREFIX}TEST_KEY`] = SECRET;
  world = await createExecutorWorld(namespace);
  await untilReady(connection, 60_000);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  delete process.env[`${PREFIX}TEST_KEY`];
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await closeConnection(connection);
  await world.close();
});

/** Runs one http step; gives all that Redis then holds in this namespace, as text. */
async function run(request: { url: string; [field: string]: Json }): Promise<string> {
  seen.length = 0;
  const handlers = builtInHandlers({ httpAllow: '127.0.0.1' });
  const abilities = { handlers: new Map(handlers.map((each) => [each.use, each])), queues: new Set(['default']) };
  const { step } = await world.start({ a: { kind: 'http', request, retry: { maxAttempts: 3 } } } as never);
  await world.createExecutor(() => null, { abilities }).runTask({ v: 1, i: [step('a')] });
  return stored();
}

const READS: Record<string, (key: string) => [string, ...string[]]> = {
  string: (key) => ['GET', key],
  hash: (key) => ['HGETALL', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1'],
  stream: (key) => ['XRANGE', key, '-', '+'],
};

async function stored(): Promise<string> {
  const { client } = connection;
  const texts: unknown[] = [];
  for (const key of await client.keys(`*${namespace}*`)) {
    const read = READS[await client.type(key)];
    if (read === undefined) continue;
    const [command, ...parameters] = read(key);
    texts.push(key, await client.call(command, ...parameters));
  }
  return JSON.stringify(texts);
}

const partsOf = (secret: string) => [secret.slice(0, 8), encodeURIComponent(secret).slice(0, 8), 's0rts'];

describe('a secret of an http step', () => {
  test('reaches the server and nothing that is stored, whatever the server echoes', async () => {
    const body = { key: '${{ secrets.TEST_KEY }}' };
    const headers = { 'x-token': 'Bearer ${{ secrets.TEST_KEY }}' };
    const text = await run({ method: 'POST', url: `${origin}/ok?key=\${{ secrets.TEST_KEY }}`, headers, body });
    expect(seen).toMatchObject([{ token: `Bearer ${SECRET}`, body: JSON.stringify({ key: SECRET }) }]);
    expect(text).toContain('echoed');
    expect(text).toContain('Bearer ***');
    for (const part of partsOf(SECRET)) expect(text).not.toContain(part);
  });

  test('is not in the error of a request that is refused, nor half of it', async () => {
    for (const filler of ['', 'x'.repeat(180)]) {
      const text = await run({ url: `${origin}/refused${filler}/\${{ secrets.TEST_KEY }}` });
      expect(seen).toHaveLength(1);
      expect(text).toContain('answered 403');
      for (const part of partsOf(SECRET)) expect(text).not.toContain(part);
    }
  });

  test('fails the step at once, with the name of the variable, when it is not set', async () => {
    const text = await run({ url: `${origin}/ok`, headers: { 'x-token': '${{ secrets.NOT_THERE }}' } });
    expect(seen).toEqual([]);
    expect(text).toContain('SECRET_NOT_SET');
    expect(text).toContain('non_retryable');
    expect(text).toContain(`${PREFIX}NOT_THERE`);
  });

  test('is not what data say that looks like a reference', async () => {
    await run({ url: `${origin}/ok`, headers: { 'x-token': '${{ "${" + "{ secrets.TEST_KEY }}" }}' } });
    expect(seen).toMatchObject([{ token: '${{ secrets.TEST_KEY }}' }]);
  });
});
