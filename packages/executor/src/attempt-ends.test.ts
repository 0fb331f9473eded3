import type { Json } from '@flotilla/contracts';
import { CancelledError, RateLimitedError } from '@flotilla/steps';
import { createLogger } from '@flotilla/telemetry';
import { eventually, testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AbortCause } from './attempt-control.ts';
import type { Executor } from './executor.ts';
import { createExecutorWorld, type ExecutorWorld, type Run, work } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

const retry = { maxAttempts: 5, initialMs: 1, jitter: 'none' } as const;
const EVER_MS = 10_000;

/** Ends when it is told to, whatever its signal says. */
function untilTold(): {
  run: Run;
  end: (value: Json) => void;
  fail: (error: unknown) => void;
  signal: () => AbortSignal;
} {
  const { promise, resolve, reject } = Promise.withResolvers<Json>();
  let given: AbortSignal | undefined;
  const run: Run = (_input, { signal }) => {
    given = signal;
    return promise;
  };
  return { run, end: resolve, fail: reject, signal: () => given! };
}

async function oneStep(run: Run, timeouts: object = {}) {
  const { runId, step } = await world.start({ a: { ...work, retry, timeouts } });
  const executor = world.createExecutor(run);
  const task = executor.runTask({ v: 1, i: [step('a')] });
  const ended = () => within(task, EVER_MS, 'the attempt to end');
  return { runId, step, executor, ended };
}

/** The object with some of its members replaced. */
function overriding<T extends object>(object: T, members: Partial<T>): T {
  return new Proxy(object, {
    get: (of, name) => {
      if (Object.hasOwn(members, name)) return members[name as keyof T];
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}

const viewOf = async (runId: string) => (await world.state.listSteps(runId, { limit: 1 })).steps[0]!;

describe('ORIGIN 4 S1: after a deadline no retry goes on', () => {
  test('the handler is told, and when the total time of the step is over no attempt follows', async () => {
    let aborted = 0;
    const run: Run = (_input, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted += 1;
          reject(new Error('a handler may say what it likes'));
        });
      });
    const { runId, ended } = await oneStep(run, { totalMs: 1500 });
    await ended();
    expect(await viewOf(runId)).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { type: 'timeout', code: 'TIMEOUT' },
    });
    expect(aborted).toBe(1);
    expect(await world.eventsOf(runId)).not.toContain('retry-scheduled');
  });

  test('the time limit of one attempt ends that attempt, and the policy decides about another', async () => {
    const { runId, ended } = await oneStep(() => new Promise(() => undefined), { attemptMs: 30 });
    await ended();
    expect(await viewOf(runId)).toMatchObject({ status: 'backing-off', attempts: 1, error: { type: 'timeout' } });
  });
});

describe('ORIGIN 4 S2: what is called off before it begins does not begin', () => {
  test('the handler of an attempt whose worker hands back is not called', async () => {
    const { runId, step } = await world.start({ a: { ...work, retry } });
    let calls = 0;
    const { state } = world;
    // The claim is answered when the drain time has ended.
    const claim: typeof state.transitions.claim = async (request) => {
      await eventually(() => executor.live.mustHandBack);
      return state.transitions.claim(request);
    };
    const slow = overriding(state, { transitions: overriding(state.transitions, { claim }) });
    const run: Run = () => {
      calls += 1;
      return 1;
    };
    const executor: Executor = world.createExecutor(run, { state: slow });
    const task = executor.runTask({ v: 1, i: [step('a')] });
    await executor.drain(0);
    await task;
    expect(calls).toBe(0);
    expect(await viewOf(runId)).toMatchObject({ status: 'ready', attempts: 0 });
  });
});

describe('ORIGIN 4, classifier: a cancelled attempt is never retried', () => {
  test.each([
    ['a CancelledError', () => new CancelledError('called off')],
    ['a CancelledError of another copy', () => ({ [Symbol.for('flotilla.error-type')]: 'cancelled' })],
    ['a wrapped cancellation', () => new Error('it failed', { cause: new CancelledError('called off') })],
  ])('%s that a handler throws ends its step', async (_what, thrown) => {
    const { runId, ended } = await oneStep(() => Promise.reject(thrown()));
    await ended();
    expect(await viewOf(runId)).toMatchObject({ status: 'failed', attempts: 1, error: { type: 'cancelled' } });
  });
});

describe('an abort that the own signal of an attempt knows nothing of', () => {
  const ownTimeLimit = () => AbortSignal.abort().reason as Error;
  test.each([
    ['an AbortError', ownTimeLimit],
    ['a wrapped one', () => new Error('it failed', { cause: ownTimeLimit() })],
  ])('%s is a failed attempt like any other', async (_what, thrown) => {
    const { runId, ended } = await oneStep(() => Promise.reject(thrown()));
    await ended();
    expect(await viewOf(runId)).toMatchObject({ status: 'backing-off', attempts: 1, error: { type: 'timeout' } });
  });
});

describe('a time limit and a cancellation that meet', () => {
  const abort = (executor: Executor, runId: string) => executor.live.abortRun(runId);
  /** In which a slow machine, too, gets from the start of the handler to its cancellation. */
  const LIMIT_MS = 2500;

  test.each([
    ['the limit first', 'attempt-time'],
    ['the cancellation first', 'cancelled'],
  ] as const)('%s: the first decides, once', async (_order, first) => {
    const handler = untilTold();
    const limited = first === 'attempt-time';
    const startedAt = performance.now();
    const { runId, executor, ended } = await oneStep(handler.run, { attemptMs: limited ? 30 : LIMIT_MS });
    await eventually(() => executor.live.size === 1 && handler.signal() !== undefined);
    if (limited) await eventually(() => handler.signal().aborted);
    await world.state.cancelRun(runId);
    abort(executor, runId);
    const reason = handler.signal().reason as { abortCause: AbortCause };
    expect(reason.abortCause).toBe(first);
    // The handler goes on until the other has come too.
    await eventually(() => performance.now() - startedAt > (limited ? 50 : LIMIT_MS + 50));
    handler.fail(new Error('it gave up'));
    await ended();
    const events = await world.eventsOf(runId);
    expect(events.filter((type) => /^attempt-(timed-out|failed|cancelled|succeeded)$/.test(type))).toEqual([
      limited ? 'attempt-timed-out' : 'attempt-cancelled',
    ]);
    expect(events).not.toContain('retry-scheduled');
    expect((await world.state.readRun(runId))?.status).toBe('cancelled');
  });
});

describe('what an author says about errors', () => {
  test('rules of the worker are asked first, with what was thrown', async () => {
    const seen: unknown[] = [];
    const { runId, step } = await world.start({ a: { ...work, retry } });
    const thrown = { reason: 'quota' };
    const executor = world.createExecutor(() => Promise.reject(thrown), {
      classifyRules: [
        (error) => {
          seen.push(error);
          return { type: 'rate_limited', code: 'QUOTA', retryAfterMs: 40_000 };
        },
      ],
    });
    await executor.runTask({ v: 1, i: [step('a')] });
    expect(seen).toEqual([thrown]);
    const view = await viewOf(runId);
    expect(view).toMatchObject({ status: 'backing-off', error: { type: 'rate_limited', code: 'QUOTA' } });
    expect(view.nextAttemptAt! - Date.now()).toBeGreaterThan(35_000);
  });

  test('a Retry-After that is a date is measured against the clock of Redis', async () => {
    const { runId, ended } = await oneStep(() => {
      throw Object.assign(new RateLimitedError('busy'), { retryAfter: new Date(Date.now() + 90_000).toUTCString() });
    });
    await ended();
    const leftMs = (await viewOf(runId)).nextAttemptAt! - Date.now();
    expect(leftMs).toBeGreaterThan(80_000);
    expect(leftMs).toBeLessThan(95_000);
  });
});

describe('a failed attempt', () => {
  const declined = (card: string) =>
    Object.assign(
      new Error(`card ${card} is declined`, { cause: Object.assign(new Error('no funds'), { name: 'FundsError' }) }),
      { code: 'DECLINED' },
    );

  test('is stored with the stack of its error and those of its causes: in the history and with its step', async () => {
    const { runId, ended } = await oneStep(() => Promise.reject(declined('4000 0000')));
    await ended();
    const stack = expect.stringMatching(
      /^Error\n +at .*attempt-ends\.test\.ts(?:.|\n)*caused by FundsError: no funds\n +at /,
    );
    expect(await viewOf(runId)).toMatchObject({ error: { code: 'DECLINED', stack } });
    const { events } = await world.state.readHistory(runId, { after: -1, limit: 100 });
    expect(events.find(({ type }) => type === 'attempt-failed')?.data).toMatchObject({ code: 'DECLINED', stack });
  });

  test('is logged as a warning that says which, how and when it is tried again, and nothing of what it was given', async () => {
    const lines: Record<string, unknown>[] = [];
    const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
    const logger = createLogger({ name: 'executor-test', level: 'warn', destination: { write } });
    const { runId, step } = await world.start({ a: { ...work, retry } });
    const executor = world.createExecutor(() => Promise.reject(declined('4000 0000')), { logger });
    await executor.runTask({ v: 1, i: [step('a')] });
    expect(lines).toMatchObject([
      {
        ...{ level: 40, msg: 'an attempt failed', event: 'attempt.failed', runId, stepId: 'a', attempt: 1 },
        ...{ use: 'work', type: 'retryable', code: 'DECLINED', retryInMs: expect.any(Number) },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain('4000');
  });

  test('is one of a few that are logged when thousands fail, and the rest are counted', async () => {
    const lines: string[] = [];
    const logger = createLogger({
      name: 'executor-test',
      level: 'warn',
      destination: { write: (line) => lines.push(line) },
    });
    const executor = world.createExecutor(() => Promise.reject(declined('1')), { logger, slots: 16 });
    const tasks = await Promise.all(Array.from({ length: 16 }, () => world.start({ a: { ...work, retry } })));
    await Promise.all(tasks.map(({ step }) => executor.runTask({ v: 1, i: [step('a')] })));
    executor.failures.close();
    const failed = lines.filter((line) => line.includes('an attempt failed'));
    // However slow the machine is: what is not logged is counted, on a later line.
    const suppressed = lines.map((line) => (JSON.parse(line) as { suppressed?: number }).suppressed ?? 0);
    expect(failed.length + suppressed.reduce((sum, count) => sum + count, 0)).toBe(16);
    expect(failed.length).toBeLessThan(16);
  });
});
