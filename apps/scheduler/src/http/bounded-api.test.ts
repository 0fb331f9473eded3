import { FlotillaError } from '@flotilla/contracts';
import { type RedisCondition, RedisUnavailableError } from '@flotilla/redis';
import { describe, expect, test } from '@jest/globals';
import { boundApi } from './bounded-api.ts';
import { FakeRunApi } from './testing/fake-run-api.ts';

function boundWith(before: () => void | Promise<void>, deadlineMs = 1000) {
  const api = new FakeRunApi();
  api.before = before;
  return boundApi(api, api, api, deadlineMs);
}

describe('boundApi', () => {
  test.each<[string, string, boolean]>([
    ['Command timed out', 'REDIS_UNAVAILABLE', true],
    ['Connection is closed.', 'REDIS_UNAVAILABLE', true],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'REDIS_UNAVAILABLE', false],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'STORAGE_FULL', false],
    ['LOADING Redis is loading the dataset in memory', 'REDIS_UNAVAILABLE', false],
  ])('tells the Redis client error %j as %s', async (message, code, ambiguous) => {
    const api = boundWith(() => {
      throw new Error(message);
    });
    await expect(api.readRun('r')).rejects.toMatchObject({ code, ambiguous: false, retryAfterMs: 1000 });
    await expect(api.cancelRun('r')).rejects.toMatchObject({ code, ambiguous });
  });

  test.each<[RedisCondition, boolean, string]>([
    ['out-of-memory', false, 'STORAGE_FULL'],
    ['disk', false, 'STORAGE_FULL'],
    ['out-of-memory', true, 'STORAGE_FULL'],
    ['unreachable', true, 'REDIS_UNAVAILABLE'],
  ])('tells a call that was given up (%s, ambiguous %s) as %s', async (condition, ambiguous, code) => {
    const api = boundWith(() => {
      throw new RedisUnavailableError('given up', { condition, retryAfterMs: 5000, ambiguous });
    });
    await expect(api.cancelRun('r')).rejects.toMatchObject({ code, ambiguous, retryAfterMs: 5000 });
    await expect(api.readRun('r')).rejects.toMatchObject({ code, ambiguous: false });
  });

  test('passes typed errors and unknown ones on as they are', async () => {
    const full = new FlotillaError('STORAGE_FULL', 'full');
    const unknown = new TypeError('a mistake in the code');
    await expect(boundWith(() => Promise.reject(full)).readRun('r')).rejects.toBe(full);
    await expect(boundWith(() => Promise.reject(unknown)).readRun('r')).rejects.toBe(unknown);
  });

  test('rejects at the deadline, and only a write may have happened', async () => {
    const api = boundWith(() => new Promise(() => undefined), 20);
    const keepAlive = setTimeout(() => undefined, 5000); // the deadline itself does not keep a process alive
    await expect(api.listRuns({ limit: 1 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', ambiguous: false });
    await expect(api.pauseRun('r')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', ambiguous: true });
    clearTimeout(keepAlive);
  });
});
