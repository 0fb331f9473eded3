import { type LocalRedis, startRedis, within } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { RedisUnavailableError } from './classify-redis-error.ts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import { retryTransient, type TransientRetry } from './retry-transient.ts';

const oom = new Error("OOM command not allowed when used memory > 'maxmemory'.");
const failTimes = (times: number, error: Error): (() => Promise<string>) => {
  let calls = 0;
  return () => {
    calls += 1;
    return calls <= times ? Promise.reject(error) : Promise.resolve(`after ${calls}`);
  };
};
const rejection = (promise: Promise<unknown>): Promise<RedisUnavailableError> =>
  promise.then(
    () => Promise.reject(new Error('it resolved')),
    (error: unknown) => error as RedisUnavailableError,
  );

describe('retryTransient', () => {
  test('pauses stay below ceilings that double from 25 to 1000 ms', async () => {
    const retries: TransientRetry[] = [];
    const almostOne = (): number => 0.04;
    const result = await retryTransient(failTimes(8, oom), {
      deadlineMs: 5000,
      random: almostOne,
      onRetry: (retry) => retries.push(retry),
    });
    expect(result).toBe('after 9');
    expect(retries.map(({ delayMs }) => Math.round(delayMs / 0.04))).toEqual([25, 50, 100, 200, 400, 800, 1000, 1000]);
    expect(retries.every(({ condition }) => condition === 'out-of-memory')).toBe(true);
  });

  test('after the deadline the last error is the cause of a typed one', async () => {
    const error = await rejection(retryTransient(() => Promise.reject(oom), { deadlineMs: 80 }));
    expect(error).toBeInstanceOf(RedisUnavailableError);
    expect(error).toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      condition: 'out-of-memory',
      retryAfterMs: 5000,
      ambiguous: false,
      cause: oom,
    });
  });

  test('a call that never answers ends at the deadline and is ambiguous', async () => {
    const error = await rejection(retryTransient(() => new Promise(() => undefined), { deadlineMs: 30 }));
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', condition: 'timeout', ambiguous: true });
  });

  test('an answer lost once makes the failure ambiguous', async () => {
    let calls = 0;
    const operation = (): Promise<never> => {
      calls += 1;
      return Promise.reject(calls === 1 ? new Error('Connection is closed.') : oom);
    };
    expect(await rejection(retryTransient(operation, { deadlineMs: 120 }))).toMatchObject({ ambiguous: true });
  });

  test('an error of another kind is passed on at once', async () => {
    const operation = jest.fn(() => Promise.reject(new Error('WRONGTYPE x')));
    await expect(retryTransient(operation, { deadlineMs: 1000 })).rejects.toThrow('WRONGTYPE x');
    expect(operation).toHaveBeenCalledTimes(1);
  });

  test('an operation that throws before it returns a promise is treated alike', async () => {
    let calls = 0;
    const operation = (): Promise<number> => {
      calls += 1;
      if (calls === 1) throw oom;
      return Promise.resolve(calls);
    };
    expect(await retryTransient(operation, { deadlineMs: 1000 })).toBe(2);
  });

  test('a signal ends the pause and the wait for an answer with its reason', async () => {
    const reason = new Error('draining');
    const pausing = new AbortController();
    const paused = retryTransient(() => Promise.reject(oom), {
      deadlineMs: 60_000,
      signal: pausing.signal,
      random: () => 0.99,
      onRetry: ({ attempt }) => attempt === 3 && pausing.abort(reason),
    });
    await expect(paused).rejects.toBe(reason);

    const waiting = new AbortController();
    const waited = retryTransient(() => new Promise(() => undefined), { deadlineMs: 60_000, signal: waiting.signal });
    waiting.abort(reason);
    await expect(waited).rejects.toBe(reason);

    const operation = jest.fn(() => Promise.resolve());
    const late = retryTransient(operation, { deadlineMs: 60_000, signal: AbortSignal.abort(reason) });
    await expect(late).rejects.toBe(reason);
    expect(operation).not.toHaveBeenCalled();
  });

  test('nested calls end with the condition of the inner one', async () => {
    const inner = (): Promise<never> => retryTransient(() => Promise.reject(oom), { deadlineMs: 10 });
    expect(await rejection(retryTransient(inner, { deadlineMs: 60 }))).toMatchObject({ condition: 'out-of-memory' });
  });
});

describe('a real Redis', () => {
  let server: LocalRedis;
  let connection: RedisConnection;
  beforeEach(async () => {
    server = await startRedis();
    connection = connectRedis(server.url, 'commands');
    await untilReady(connection, 60_000);
  });
  afterEach(async () => {
    await closeConnection(connection, 500);
    await server.stop();
  });

  test('a call outlasts a kill and restart', async () => {
    await connection.client.set('a', 'kept');
    await server.kill9();
    const reading = retryTransient(() => connection.client.get('a'), { deadlineMs: 10_000 });
    await server.restart();
    expect(await reading).toBe('kept');
  });

  test('a call outlasts a pause', async () => {
    server.pause();
    const retried = retryTransient(() => connection.client.incr('n'), { deadlineMs: 10_000 });
    setTimeout(() => server.resume(), 100);
    expect(await retried).toBe(1);
  });

  test('with Redis gone a call ends at its deadline as unreachable', async () => {
    await server.kill9();
    const calling = retryTransient(() => connection.client.get('a'), { deadlineMs: 400 });
    expect(await within(rejection(calling), 3000, 'the deadline')).toBeInstanceOf(RedisUnavailableError);
  });

  test('with Redis frozen a call ends at its deadline', async () => {
    server.pause();
    const error = await rejection(retryTransient(() => connection.client.get('a'), { deadlineMs: 150 }));
    expect(error).toMatchObject({ condition: 'timeout', ambiguous: true });
  });
});
