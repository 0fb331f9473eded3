import { scanRedis } from '@flotilla/checker';
import { type LocalRedis, startRedis } from '@flotilla/local-fleet';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { findStrayKeys } from './stray-keys.ts';

const NAMESPACE = 'soak';
const QUEUE = `{${NAMESPACE}:q:default}:default`;
const START_MS = 30_000;

// A Redis of its own: all its keys are looked at.
let redis: LocalRedis;
let connection: RedisConnection;

beforeAll(async () => {
  redis = await startRedis();
  connection = connectRedis(redis.url, 'commands');
  await untilReady(connection, START_MS);
}, START_MS);

afterAll(async () => {
  await closeConnection(connection);
  await redis.stop();
});

const send = (command: string, ...args: string[]): Promise<unknown> => connection.client.call(command, ...args);
const strays = async () => findStrayKeys(send, await scanRedis(send, NAMESPACE), ['default']);

beforeEach(async () => {
  await send('FLUSHALL');
  await send('HSET', `{${NAMESPACE}}:deployment`, 'partitions', '1');
  await send('XADD', `{${NAMESPACE}:00}:out`, '1-1', 'a', 'b');
  await send('HSET', `{${NAMESPACE}:00}:reclaim`, 'lookedAt', '1');
  await send('ZADD', `{${NAMESPACE}:00}:workers`, '1', 'w-1');
  await send('HSET', `${QUEUE}:meta`, 'version', 'bullmq');
  await send('HSET', `${QUEUE}:t-0a`, 'name', 'task');
  await send('ZADD', `${QUEUE}:completed`, '1', 't-0a');
  await send('SET', `{${NAMESPACE}:00}:i:key`, 'run', 'PX', '60000');
});

test('what belongs to the deployment, to a queue or expires is no stray key', async () => {
  expect(await strays()).toEqual([]);
});

test.each([
  ['the state of a run', ['HSET', `{${NAMESPACE}:00}:r:gone`, 'm', '1']],
  ['a history', ['RPUSH', `{${NAMESPACE}:00}:h:gone`, '{}']],
  ['a definition', ['HSET', `{${NAMESPACE}:00}:d:gone`, 't', '{}']],
  ['an index', ['ZADD', `{${NAMESPACE}:00}:ended`, '1', 'gone']],
  ['an idempotency key for ever', ['SET', `{${NAMESPACE}:00}:i:other`, 'gone']],
  ['a task that is in no list', ['HSET', `${QUEUE}:t-0b`, 'name', 'task']],
  ['a key that nobody knows', ['SET', `{${NAMESPACE}:00}:new`, '1']],
  ['a key of someone else', ['SET', 'other', '1']],
])('%s is one', async (_title, [command, ...args]) => {
  await send(command!, ...args);
  expect(await strays()).toHaveLength(1);
});
