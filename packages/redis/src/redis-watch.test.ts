import { eventually, type LocalRedis, startRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import { RedisWatch } from './redis-watch.ts';
import { requireRedis } from './start-up-guard.ts';

const options = { namespace: testNamespace(import.meta.url), partitions: 1, deadlineMs: 300 };

let redis: LocalRedis;
let connection: RedisConnection;
let watch: RedisWatch;
beforeAll(async () => {
  redis = await startRedis();
  connection = connectRedis(redis.url, 'commands', { onError: () => undefined });
  await untilReady(connection, 60_000);
  const { deployment, servers } = await requireRedis(connection.client, options);
  watch = new RedisWatch(connection.client, { ...options, knownEpoch: deployment.epoch, servers });
});
afterAll(async () => {
  await closeConnection(connection);
  await redis.stop();
});

const codes = async () => (await watch.look()).map(({ code }) => code);
const set = (name: string, value: string) => connection.client.config('SET', name, value);

describe('a Redis that is looked at again', () => {
  test('has no problems while nothing has changed', async () => {
    expect(await codes()).toEqual([]);
  });

  test('has another lineage after a restart, and the same while it runs', async () => {
    const before = watch.lineage;
    await watch.look();
    expect(watch.lineage).toBe(before);
    await redis.restart();
    await eventually(async () => {
      await watch.look();
      return watch.lineage !== before;
    });
    expect(watch.lineage).toMatch(/^[0-9a-f]{40}\/[0-9a-f]{40}$/);
  });

  test.each([
    ['maxmemory-policy', 'allkeys-lru', 'noeviction', 'REDIS_EVICTS'],
    ['appendonly', 'no', 'yes', 'REDIS_VOLATILE'],
  ])('is found to have another %s, until that is put right', async (name, wrong, right, code) => {
    await set(name, wrong);
    expect(await codes()).toEqual([code]);
    await set(name, right);
    // An append-only file that is switched on is in use when it has been rewritten.
    await eventually(async () => (await codes()).length === 0);
  });

  test('is found to have evicted keys, also after its policy was put right', async () => {
    await connection.client.set('victim', 'x'.repeat(100_000));
    await set('maxmemory-policy', 'volatile-ttl');
    await connection.client.pexpire('victim', 60_000);
    await set('maxmemory', '1');
    await connection.client.set('more', '1').catch(() => undefined); // refused: what matters is what it evicted
    await set('maxmemory', '0');
    await set('maxmemory-policy', 'noeviction');
    expect(await watch.look()).toMatchObject([
      { code: 'REDIS_HAS_EVICTED', message: expect.stringContaining('1 keys while this process ran') },
    ]);
  });

  test('is judged by what it has evicted since it was first seen', async () => {
    const { client } = connection;
    const other = new RedisWatch(client, { ...options, knownEpoch: '', servers: [] });
    const evicted = async () => (await other.look()).filter(({ code }) => code === 'REDIS_HAS_EVICTED');
    expect(await evicted()).toEqual([]);
    expect(await evicted()).toEqual([]);
  });

  test('is not judged while it does not answer', async () => {
    redis.pause();
    try {
      expect(await codes()).toEqual(['REDIS_HAS_EVICTED']);
    } finally {
      redis.resume();
    }
  });

  test('is found to have lost the deployment, or to hold another', async () => {
    await connection.client.flushall();
    expect(await codes()).toContain('DATA_LOSS');
    await requireRedis(connection.client, options);
    expect(await codes()).toContain('DATA_LOSS');
  });
});
