import { describe, expect, test } from '@jest/globals';
import type { StepContext } from '../step-context.ts';
import { echo } from './echo.ts';
import { fail } from './fail.ts';
import { builtInHandlers } from './index.ts';
import { sleep } from './sleep.ts';

function context(fields: Partial<StepContext> = {}): StepContext {
  return { attempt: 1, signal: new AbortController().signal, ...fields } as StepContext;
}

test('the built-in handlers are echo, sleep, fail and http', () => {
  expect(builtInHandlers().map(({ use }) => use)).toEqual([
    'flotilla.echo',
    'flotilla.sleep',
    'flotilla.fail',
    'flotilla.http',
  ]);
});

test('echo returns its input, and null for none', () => {
  expect(echo.run({ a: [1] }, context())).toEqual({ a: [1] });
  expect(echo.run(undefined, context())).toBeNull();
});

describe('flotilla.sleep', () => {
  test.each([0, 1, 7, 20])('never sleeps less than %i ms on the monotonic clock', async (ms) => {
    const startedMs = performance.now();
    const { sleptMs } = (await sleep.run({ ms }, context())) as { sleptMs: number };
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(ms);
    expect(sleptMs).toBeGreaterThanOrEqual(ms);
    expect(Number.isInteger(sleptMs)).toBe(true);
  });

  test('ends with the reason of the AbortSignal when that aborts', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const sleeping = sleep.run({ ms: 60_000 }, context({ signal: controller.signal }));
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(sleep.run({ ms: 0 }, context({ signal: controller.signal }))).rejects.toBe(reason);
  });

  test('does not overflow the timer with a delay of a year', async () => {
    const controller = new AbortController();
    const sleeping = sleep.run({ ms: 31_536_000_000 }, context({ signal: controller.signal })) as Promise<unknown>;
    await expect(Promise.race([sleeping, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).resolves.toBe(
      'waits',
    );
    controller.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
  });

  test.each([[-1], [0.5], [Number.NaN], [Infinity], ['5'], [1e18]])('refuses ms %p', (ms) => {
    expect(sleep.input?.safeParse({ ms }).success).toBe(false);
  });
});

describe('flotilla.fail', () => {
  test('fails the first attempts and then says how many there were', () => {
    expect(() => fail.run({ times: 2 }, context({ attempt: 1 }))).toThrow('attempt 1 of 2');
    expect(() => fail.run({ times: 2 }, context({ attempt: 2 }))).toThrow();
    expect(fail.run({ times: 2 }, context({ attempt: 3 }))).toEqual({ attempts: 3 });
    expect(fail.run({ times: 0 }, context())).toEqual({ attempts: 1 });
  });

  test('the error carries code, message, status and retryAfterMs', () => {
    const input = { times: 1, code: 'BUSY', message: 'later', status: 429, retryAfterMs: 70 };
    expect(() => fail.run(input, context())).toThrow(
      expect.objectContaining({ code: 'BUSY', message: 'later', status: 429, retryAfterMs: 70 }),
    );
  });
});
