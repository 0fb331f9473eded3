import { type LocalRedis, startRedis } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import {
  DEFAULT_WATERMARKS,
  parseWatermarks,
  readMemory,
  type StorageLevel,
  StorageWatch,
  storageLevel,
} from './storage-watch.ts';

describe('the level of storage', () => {
  test.each([
    [0, 'normal', 'normal'],
    [0.699, 'normal', 'normal'],
    [0.7, 'normal', 'tight'],
    [0.8, 'normal', 'refusing'],
    [0.9, 'normal', 'holding'],
    [40, 'normal', 'holding'],
    [0.885, 'holding', 'holding'],
    [0.875, 'holding', 'refusing'],
    [0.785, 'refusing', 'refusing'],
    [0.775, 'refusing', 'tight'],
    [0.685, 'tight', 'tight'],
    [0.675, 'tight', 'normal'],
    [0.1, 'holding', 'normal'],
  ] as [number, StorageLevel, StorageLevel][])('at %p after %s is %s', (share, former, level) => {
    expect(storageLevel(share, former, DEFAULT_WATERMARKS)).toBe(level);
  });
});

test('watermarks are three ascending percents', () => {
  expect(parseWatermarks('70,80,90')).toEqual([70, 80, 90]);
  for (const text of ['', 'off', '70', '80,70,90', '0,80,90', '70,80,101', '70, 80, 90']) {
    expect(parseWatermarks(text)).toBeUndefined();
  }
});

/** Eight of them: what else Redis takes and frees is less than a percent beside them. */
const FILLER_BYTES = 8 << 20;

describe('the memory of a Redis', () => {
  let redis: LocalRedis;
  let connection: RedisConnection;
  beforeAll(async () => {
    redis = await startRedis();
    connection = connectRedis(redis.url, 'commands');
    await untilReady(connection, 60_000);
    // Made by Redis itself: what it would keep a while of large commands would count as used, and then no more.
    for (let index = 0; index < 8; index += 1)
      await connection.client.setrange(`filler${index}`, FILLER_BYTES - 1, 'x');
  });
  afterAll(async () => {
    await closeConnection(connection);
    await redis.stop();
  });

  async function limitTo(share: number): Promise<void> {
    await connection.client.config('SET', 'maxmemory', '0');
    const used = Number(/used_memory:(\d+)/.exec(await connection.client.info('memory'))![1]);
    await connection.client.config('SET', 'maxmemory', String(Math.round(used / share)));
  }

  test('is watched: what has to be done is told, and is over when there is room', async () => {
    const watch = new StorageWatch(connection.client, DEFAULT_WATERMARKS);
    expect(await watch.look()).toBe('normal');
    expect(await readMemory(connection.client)).toMatchObject({ share: 0, usedBytes: expect.any(Number) });
    await limitTo(0.75);
    expect(await watch.look()).toBe('tight');
    expect([watch.refuses, watch.problems[0]?.code]).toEqual([false, 'STORAGE_TIGHT']);
    await limitTo(0.85);
    expect(await watch.look()).toBe('refusing');
    expect(watch.refuses).toBe(true);
    expect(watch.problems[0]?.message).toMatch(/Redis uses 8[45] % of its maxmemory/);
    await limitTo(0.95);
    expect(await watch.look()).toBe('holding');
    expect(watch.share).toBeGreaterThan(0.9);
    await limitTo(0.2);
    expect(await watch.look()).toBe('normal');
    expect(watch.problems).toEqual([]);
  });

  test('is not looked at without marks', async () => {
    await limitTo(0.95);
    expect(await new StorageWatch(connection.client, undefined).look()).toBe('normal');
  });
});
