import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  type LocalRedis,
  startFleet,
  startRedis,
  testNamespace,
  within,
} from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

/** The programs look every 5 s. */
const LOOK_MS = 45_000;

/** A single server of its own: its settings are changed. */
let redis: LocalRedis;
let fleet: Fleet;
let connection: RedisConnection;
beforeAll(async () => {
  redis = await startRedis();
  fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url) });
  connection = connectRedis(redis.url, 'commands');
  await untilReady(connection, 60_000);
}, 60_000);
afterAll(async () => {
  await closeConnection(connection);
  await fleet.stop();
  await redis.stop();
});

test('a Redis that may evict since the programs run is told by both, and one that was emptied ends both with 74', async () => {
  await connection.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const told = /"level":"?(error|50)"?.*"code":"REDIS_EVICTS"/;
  await Promise.all(fleet.members.map(({ process }) => process.waitForLine(told, LOOK_MS)));
  const ready = await fleet.api.get<{ problems?: { code: string }[] }>('/readyz');
  expect(ready).toMatchObject({ ok: true, problems: [{ code: 'REDIS_EVICTS' }] });
  await connection.client.config('SET', 'maxmemory-policy', 'noeviction');
  await connection.client.flushall();
  const ends = await Promise.all(
    fleet.members.map(({ process }) => within(process.exited, LOOK_MS, 'the process to end')),
  );
  expect(ends.map(({ code }) => code)).toEqual([74, 74]);
  await eventually(() => fleet.members.every(({ process }) => process.stderr().includes('DATA_LOSS')));
}, 120_000);
