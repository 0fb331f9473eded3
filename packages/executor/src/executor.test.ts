import type { Json, WorkflowDefinition } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import type { TaskStep } from '@flotilla/queue';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { State, stateKey } from '@flotilla/state';
import { defineStep, type Handler, type StepContext } from '@flotilla/steps';
import { createLogger } from '@flotilla/telemetry';
import { eventually, sharedRedis, testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Executor } from './executor.ts';
import type { RunIsolated } from './isolation/run-isolated.ts';

type Run = (input: Json, context: StepContext) => Json | Promise<Json>;

let connection: RedisConnection;
let state: State<Plan>;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = new State<Plan>({
    client: connection.client,
    namespace: testNamespace(import.meta.url),
    partitions: 1,
    compile: (text) => compile(JSON.parse(text)),
  });
});
afterAll(() => closeConnection(connection));

function compile(document: unknown): Plan {
  const compiled = compileWorkflow(document);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

function createExecutor(run: Run, slots = 4, runIsolated?: RunIsolated): Executor {
  const handler = defineStep({ name: 'work', run }) as Handler;
  const abilities = { handlers: new Map([[handler.use, handler]]), queues: new Set(['default']) };
  const logger = createLogger({ name: 'executor-test', level: 'silent' });
  const own = runIsolated === undefined ? {} : { runIsolated };
  return new Executor({ state, workerId: 'worker-1', abilities, slots, logger, random: () => 0.5, ...own });
}

const work = { kind: 'task', use: 'work', retry: { maxAttempts: 1 } } as const;

/** Starts a run of these steps; gives it and the tasks' names of its steps. */
async function start(
  steps: WorkflowDefinition['steps'],
  rest: Partial<WorkflowDefinition> = {},
): Promise<{ runId: string; step: (id: string) => TaskStep }> {
  const plan = compile({ flotilla: 1, name: 'executed', steps, ...rest });
  const { runId } = await state.createRun({
    plan,
    inputJson: '{"who":"world"}',
    bodyHash: 'body',
    tags: [],
    durability: 'fast',
  });
  return { runId, step: (id) => [runId, plan.hash, String(plan.stepIndex.get(id))] };
}

async function historyOf(runId: string): Promise<string[]> {
  const { events } = await state.readHistory(runId, { after: -1, limit: 1000 });
  return events.map(({ type, stepId }) => (stepId === undefined ? type : `${type} ${stepId}`));
}

async function outboxLines(): Promise<string[]> {
  const entries = await connection.client.xrange(stateKey(state.tags[0]!, 'outbox'), '-', '+');
  return entries
    .flatMap(([, fields]) => fields[1]!.split('\n'))
    .map((line) => `${line[0]}${line.split('|').slice(3).join('|')}`);
}

const inFlight = () => connection.client.zcard(stateKey(state.tags[0]!, 'lease'));

describe('an executor', () => {
  test('goes on from step to step in one task, with what it has just made', async () => {
    const { runId, step } = await start({
      a: { ...work, input: { hello: '${{ run.input.who }}' } },
      b: { ...work, needs: ['a'], input: { before: '${{ steps.a.output }}' } },
      c: { ...work, needs: ['b'], input: { first: '${{ steps.a.output.hello }}', second: '${{ steps.b.output }}' } },
    });
    const executor = createExecutor((input) => input);
    await executor.runTask({ v: 1, i: [step('a')] });
    const { steps } = await state.listSteps(runId, { limit: 10 });
    expect(steps.map(({ output }) => output)).toEqual([
      { hello: 'world' },
      { before: { hello: 'world' } },
      { first: 'world', second: { before: { hello: 'world' } } },
    ]);
    expect((await state.readRun(runId))?.status).toBe('succeeded');
    expect(await outboxLines()).toEqual(['E']);
    expect(await inFlight()).toBe(0);
    expect({ running: executor.live.size, free: executor.slots.free }).toEqual({ running: 0, free: 4 });
    const { checkpoints } = await state.listCheckpoints(runId, { limit: 10 });
    expect(checkpoints.map(({ verified, previous }) => [verified, previous !== ''])).toEqual([
      [true, false],
      [true, true],
      [true, true],
    ]);
  });

  test('gives each step of a chain values of its own: what a handler does to them the next one does not see', async () => {
    const { runId, step } = await start({
      a: work,
      b: { ...work, needs: ['a'], input: { own: '${{ steps.a.output }}', run: '${{ run.input }}' } },
      c: { ...work, needs: ['b'], input: { own: '${{ steps.a.output }}', run: '${{ run.input }}' } },
    });
    const returned = { list: [1] };
    const executor = createExecutor((input, { stepId }) => {
      if (stepId === 'a') return returned;
      if (stepId === 'c') return input;
      const given = input as { own: { list: number[] }; run: { who: string } };
      given.own.list.push(2);
      given.run.who = 'nobody';
      returned.list.push(3);
      return null;
    });
    await executor.runTask({ v: 1, i: [step('a')] });
    const { steps } = await state.listSteps(runId, { limit: 10 });
    expect(steps.at(-1)?.output).toEqual({ own: { list: [1] }, run: { who: 'world' } });
  });

  test.each([
    { passedMs: 900, slots: 1, goesOn: true, when: 'within a second, with no slot free' },
    { passedMs: 1100, slots: 1, goesOn: false, when: 'after a second, with no slot free' },
    { passedMs: 1100, slots: 2, goesOn: true, when: 'after a second, while a slot is free' },
    { passedMs: 5100, slots: 2, goesOn: false, when: 'after five seconds, while a slot is free' },
  ])('goes on with a run or lets it go to others: $when, it goes on: $goesOn', async ({ passedMs, slots, goesOn }) => {
    const { runId, step } = await start({ a: work, b: { ...work, needs: ['a'] } });
    const now = performance.now.bind(performance);
    let aheadMs = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + aheadMs);
    const executor = createExecutor((_, { stepId }) => {
      if (stepId === 'a') aheadMs = passedMs;
      return null;
    }, slots);
    await executor.runTask({ v: 1, i: [step('a')] });
    clock.mockRestore();
    const lines = await outboxLines();
    expect(lines.some((line) => line.startsWith('G'))).toBe(!goesOn);
    expect((await state.readRun(runId))?.status).toBe(goesOn ? 'succeeded' : 'running');
  });

  test('leaves a map item whose limits the relay sets to the relay', async () => {
    const { runId, step } = await start({
      items: {
        kind: 'map',
        over: '[1, 2]',
        concurrency: 1,
        each: { ...work, timeouts: { totalMs: 60_000 } },
      },
    });
    const [, , key] = step('items');
    const address = { tag: state.tagOf(runId), runId, key };
    const settings = { concurrency: 1, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 1 };
    await state.transitions.startMap(address, ['1', '2'], settings);
    const [, hash] = step('items');
    await createExecutor((input) => input).runTask({ v: 1, i: [[runId, hash, `${key}.0`]] });
    expect(await outboxLines()).toContain(`S${key}.1`);
    expect(await inFlight()).toBe(0);
  });

  test.each([
    [20, 'with the call that claims it'],
    [40, 'in calls of their own'],
  ])('gives a join of %i all that it reads, %s', async (width) => {
    const commit = jest.spyOn(state.transitions, 'commit');
    const branches = Array.from({ length: width }, (_, index) => `b${index}`);
    const { runId, step } = await start({
      ...Object.fromEntries(branches.map((id, index) => [id, { ...work, input: index }])),
      last: { ...work, needs: branches, input: branches.map((id) => `\${{ steps.${id}.output }}`) },
    });
    await createExecutor((input) => input, width).runTask({ v: 1, i: branches.map(step) });
    const { steps } = await state.listSteps(runId, { limit: 100 });
    expect(steps.find(({ stepId }) => stepId === 'last')?.output).toEqual(branches.map((_, index) => index));
    const most = Math.max(...commit.mock.calls.map(([{ sources }]) => sources.length));
    expect(most).toBe(width <= 32 ? width - 1 : 0);
  });

  test('leaves a fan to the fleet, and a step that needs a decision to the relay', async () => {
    const { runId, step } = await start({
      a: work,
      b: { ...work, needs: ['a'] },
      c: { ...work, needs: ['a'] },
    });
    await createExecutor(() => 1).runTask({ v: 1, i: [step('a')] });
    expect(await outboxLines()).toEqual(['E', expect.stringMatching(/^G1\|/)]);
    const conditional = await start({ a: work, b: { ...work, needs: ['a'], when: 'true' } });
    await createExecutor(() => 1).runTask({ v: 1, i: [conditional.step('a')] });
    expect((await state.readRun(conditional.runId))?.status).toBe('running');
    expect(await historyOf(runId)).not.toContain('attempt-started b');
  });

  test('runs as many steps of a task as it has slots, and hands the others back', async () => {
    const { step } = await start(Object.fromEntries(['a', 'b', 'c'].map((id) => [id, work])));
    const ends: (() => void)[] = [];
    const executor = createExecutor(() => new Promise<Json>((resolve) => ends.push(() => resolve(1))), 2);
    const task = executor.runTask({ v: 1, i: [step('a'), step('b'), step('c')] });
    expect(executor.slots.free).toBe(0);
    await eventually(async () => (await outboxLines()).includes(`S${step('c')[2]}`));
    await eventually(() => ends.length === 2);
    for (const end of ends) end();
    await task;
    expect(executor.slots.free).toBe(2);
  });

  test.each([
    ['throws an error', () => Promise.reject(new Error('no')), 'STEP_FAILED'],
    ['throws a text', () => Promise.reject('no'), undefined],
    ['returns what is not JSON', () => 1n as unknown as Json, 'STEP_OUTPUT_INVALID'],
    ['returns 50 MB', () => 'x'.repeat(50_000_000), 'STEP_OUTPUT_INVALID'],
  ])('fails the step of a handler that %s', async (_, run, code) => {
    const { runId, step } = await start({ a: work });
    await createExecutor(run).runTask({ v: 1, i: [step('a')] });
    const view = await state.readRun(runId);
    expect(view?.status).toBe('failed');
    if (code !== undefined) expect(view?.error?.code).toBe(code);
    expect(await inFlight()).toBe(0);
  });

  test('lets a failed step be tried again later, as its policy says', async () => {
    const retry = { maxAttempts: 2, initialMs: 60_000, jitter: 'none' } as const;
    const { runId, step } = await start({ a: { ...work, retry } });
    await createExecutor(() => Promise.reject(new Error('no'))).runTask({ v: 1, i: [step('a')] });
    const { steps } = await state.listSteps(runId, { limit: 1 });
    expect(steps[0]).toMatchObject({ status: 'backing-off', attempts: 1, error: { message: 'no' } });
    expect(steps[0]!.nextAttemptAt! - Date.now()).toBeGreaterThan(20_000);
  });

  test('ends an attempt at its time limit, whether its handler listens or not', async () => {
    const { runId, step } = await start({ a: { ...work, timeouts: { attemptMs: 30 } } });
    const listening: Run = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    await within(createExecutor(listening).runTask({ v: 1, i: [step('a')] }), 3000, 'the attempt to end');
    expect(await historyOf(runId)).toContain('attempt-timed-out a');
    const deaf = await start({ a: { ...work, timeouts: { attemptMs: 30 } } });
    const executor = createExecutor(() => new Promise<Json>(() => undefined));
    await within(executor.runTask({ v: 1, i: [deaf.step('a')] }), 4000, 'the attempt to be abandoned');
    expect((await state.readRun(deaf.runId))?.error?.code).toBe('TIMEOUT');
    expect(executor.slots.free).toBe(4);
  });

  test('does not use a result that came after the time limit', async () => {
    const { runId, step } = await start({ a: { ...work, timeouts: { attemptMs: 30 } } });
    const late: Run = (_, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late')));
    await createExecutor(late).runTask({ v: 1, i: [step('a')] });
    expect(await historyOf(runId)).not.toContain('step-succeeded a');
  });

  test.each([
    ['is told of', (executor: Executor, runId: string) => executor.live.abortRun(runId)],
    ['finds when it asks', (executor: Executor) => executor.live.abortEnding()],
  ])('aborts the attempts of a run that is ending, which it %s, and of no other', async (_, abort) => {
    const [one, other] = [await start({ a: work }), await start({ a: work })];
    const aborted: string[] = [];
    const ends: (() => void)[] = [];
    const executor = createExecutor(
      (_, { signal, runId }) =>
        new Promise<Json>((resolve, reject) => {
          ends.push(() => resolve(1));
          signal.addEventListener('abort', () => {
            aborted.push(runId);
            reject(signal.reason);
          });
        }),
    );
    const tasks = [one, other].map(({ step }) => executor.runTask({ v: 1, i: [step('a')] }));
    await eventually(() => ends.length === 2);
    await state.cancelRun(one.runId);
    await abort(executor, one.runId);
    await tasks[0];
    expect(aborted).toEqual([one.runId]);
    expect((await state.readRun(one.runId))?.status).toBe('cancelled');
    for (const end of ends) end();
    await tasks[1];
    expect((await state.readRun(other.runId))?.status).toBe('succeeded');
  });

  test('records of an attempt that a cancellation stops whether its handler has stopped, too', async () => {
    const [listens, deaf] = [await start({ a: work }), await start({ a: work })];
    let begun = 0;
    const executor = createExecutor((_, { signal, runId }) => {
      begun += 1;
      return new Promise<Json>((_resolve, reject) => {
        if (runId === listens.runId) signal.addEventListener('abort', () => reject(signal.reason));
      });
    });
    const tasks = [listens, deaf].map(({ step }) => executor.runTask({ v: 1, i: [step('a')] }));
    await eventually(() => begun === 2);
    await Promise.all([listens, deaf].map(({ runId }) => state.cancelRun(runId)));
    await executor.live.abortEnding();
    await within(Promise.all(tasks), 4000, 'the attempts to end');
    const reasons = await Promise.all(
      [listens, deaf].map(async ({ runId }) => {
        const { events } = await state.readHistory(runId, { after: -1, limit: 100 });
        return events.find(({ type }) => type === 'attempt-cancelled')?.data?.['reason'];
      }),
    );
    expect(reasons).toEqual(['cancelled', 'abandoned']);
  });

  test('drained hands back what does not end in time, charges nothing and takes no more', async () => {
    const { runId, step } = await start({ a: work, b: work });
    const executor = createExecutor(
      (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const task = executor.runTask({ v: 1, i: [step('a')] });
    await eventually(() => executor.live.size === 1);
    await within(executor.drain(10), 3000, 'the drain to end');
    await task;
    const { steps } = await state.listSteps(runId, { limit: 2 });
    expect(steps[0]).toMatchObject({ stepId: 'a', status: 'ready', attempts: 0 });
    expect(await inFlight()).toBe(0);
    const before = (await outboxLines()).length;
    await executor.runTask({ v: 1, i: [step('b')] });
    expect((await outboxLines()).slice(before)).toEqual([`S${step('b')[2]}`]);
    expect(await historyOf(runId)).toEqual(['run-created', 'step-ready', 'attempt-started a', 'attempt-cancelled a']);
  });

  test('whose attempt was taken over has its result refused and leaves the other alone', async () => {
    const { runId, step } = await start({ a: work });
    const started = Promise.withResolvers<void>();
    const end = Promise.withResolvers<Json>();
    const executor = createExecutor(() => {
      started.resolve();
      return end.promise;
    });
    const task = executor.runTask({ v: 1, i: [step('a')] });
    await started.promise;
    const tag = state.tags[0]!;
    await connection.client.zadd(stateKey(tag, 'lease'), 1, `${runId}|${step('a')[2]}`);
    const settings = { limit: 10, pauseMs: Number.MAX_SAFE_INTEGER, suspensionMs: 0, crashLimit: 5 };
    expect(await state.transitions.reclaim(tag, settings)).toMatchObject({ lost: 1 });
    const second = createExecutor(() => 'second');
    await second.runTask({ v: 1, i: [step('a')] });
    end.resolve('first');
    await task;
    const { steps } = await state.listSteps(runId, { limit: 1 });
    expect(steps[0]).toMatchObject({ status: 'succeeded', output: 'second', lost: 1 });
    expect(await historyOf(runId)).toContain('attempt-rejected a');
  });

  test.each(['beside others', 'alone'] as const)(
    'quarantines a step that was lost eleven times unless it can be made alone (%s)',
    async (where) => {
      const { runId, step } = await start({ a: work });
      const [tag] = state.tags;
      const end = Promise.withResolvers<Json>();
      const never = createExecutor(() => end.promise);
      const former = never.runTask({ v: 1, i: [step('a')] });
      await eventually(async () => (await state.listSteps(runId, { limit: 1 })).steps[0]?.status === 'running');
      await connection.client.zadd(stateKey(tag!, 'lease'), 1, `${runId}|${step('a')[2]}`);
      const settings = { limit: 10, pauseMs: Number.MAX_SAFE_INTEGER, suspensionMs: 0, crashLimit: 5 };
      await state.transitions.reclaim(tag!, settings);
      const [run, field] = [stateKey(tag!, 'run', runId), `s${step('a')[2]}`];
      const header = (await connection.client.hget(run, field))!.split('|');
      await connection.client.hset(run, field, header.with(2, '11').join('|'));
      const alone: string[] = [];
      const runIsolated = (attempt: { runId: string }) => {
        alone.push(attempt.runId);
        return Promise.resolve({ how: 'busy' } as const);
      };
      const executor = createExecutor(() => 'made', 4, where === 'alone' ? runIsolated : undefined);
      await executor.runTask({ v: 1, i: [step('a')] });
      const { steps } = await state.listSteps(runId, { limit: 1 });
      if (where === 'alone') {
        expect(alone).toEqual([runId]);
        expect(steps[0]).toMatchObject({ status: 'parked', attempts: 0 });
      } else expect(steps[0]).toMatchObject({ status: 'quarantined', attempts: 0, error: { code: 'CRASH_LIMIT' } });
      end.resolve('late');
      await former;
    },
  );

  test('parks a step whose handler it lacks', async () => {
    const { runId, step } = await start({ a: { ...work, use: 'other' } });
    await createExecutor(() => 1).runTask({ v: 1, i: [step('a')] });
    const { steps } = await state.listSteps(runId, { limit: 1 });
    expect(steps[0]).toMatchObject({ status: 'parked', reason: 'no-handler', attempts: 0 });
  });

  test('takes no notice of hints that are old, repeated or of nothing', async () => {
    const { runId, step } = await start({ a: work, b: { ...work, needs: ['a'] } });
    let made = 0;
    const executor = createExecutor(() => ++made);
    await executor.runTask({ v: 1, i: [step('b')] });
    expect(made).toBe(0);
    await executor.runTask({ v: 1, i: [step('a'), step('a'), step('b')] });
    await executor.runTask({
      v: 1,
      i: [step('a'), step('b'), ['00-nobody', step('a')[1], '0'], [runId, step('a')[1], '99']],
    });
    expect(made).toBe(2);
    expect(executor.slots.free).toBe(4);
  });
});

describe('the context of an attempt', () => {
  test('carries progress from one attempt to the next', async () => {
    const retry = { maxAttempts: 2, initialMs: 0 };
    const { runId, step } = await start({ a: { ...work, retry } });
    const found: unknown[] = [];
    const run: Run = async (_, { checkpoint, attempt }) => {
      found.push(await checkpoint.load());
      if (attempt > 1) return 'done';
      await checkpoint.save({ page: 1 });
      await checkpoint.save({ page: 2 });
      throw new Error('no');
    };
    await createExecutor(run).runTask({ v: 1, i: [step('a')] });
    await eventually(async () => {
      await state.transitions.takeDue(state.tags[0]!, 10);
      const { steps } = await state.listSteps(runId, { limit: 1 });
      return steps[0]!.status === 'ready';
    });
    await createExecutor(run).runTask({ v: 1, i: [step('a')] });
    expect(found).toEqual([undefined, { page: 2 }]);
    const { checkpoints } = await state.listCheckpoints(runId, { limit: 1 });
    expect(checkpoints.map(({ kind, seq, verified }) => [kind, seq, verified])).toEqual([
      ['progress', 1, true],
      ['progress', 2, true],
      ['result', 3, true],
    ]);
  });

  test('does not give progress that was damaged', async () => {
    const retry = { maxAttempts: 2, initialMs: 60_000 };
    const { runId, step } = await start({ a: { ...work, retry } });
    const errors: unknown[] = [];
    const run: Run = async (_, { checkpoint }) => {
      await checkpoint.save({ page: 1 });
      const key = stateKey(state.tags[0]!, 'run', runId);
      const stored = (await connection.client.hget(key, `k${step('a')[2]}~1`))!;
      await connection.client.hset(key, `k${step('a')[2]}~1`, stored.replace('"page":1', '"page":7'));
      return checkpoint.load().then(
        (page) => page ?? null,
        (error: unknown) => {
          errors.push(error);
          throw error;
        },
      );
    };
    await createExecutor(run).runTask({ v: 1, i: [step('a')] });
    expect(errors).toMatchObject([{ code: 'DATA_CORRUPTION' }]);
    expect(await historyOf(runId)).toContain('checkpoint-corrupt a');
  });

  test('tells run, step, attempt and a key that stays, and runs cleanups last first', async () => {
    const { runId, step } = await start({ a: { ...work, toolAllowlist: ['search'] } });
    const seen: unknown[] = [];
    await createExecutor((_, { runId: id, stepId, attempt, idempotencyKey, onCleanup, tool }) => {
      seen.push({ id, stepId, attempt, idempotencyKey });
      for (const name of ['one', 'two']) onCleanup(() => void seen.push(name));
      onCleanup(() => Promise.reject(new Error('a cleanup that fails')));
      tool('search');
      expect(() => tool('delete')).toThrow(expect.objectContaining({ code: 'TOOL_NOT_ALLOWED' }));
      return 1;
    }).runTask({ v: 1, i: [step('a')] });
    expect(seen).toEqual([{ id: runId, stepId: 'a', attempt: 1, idempotencyKey: `${runId}/a` }, 'two', 'one']);
    expect((await state.readRun(runId))?.status).toBe('succeeded');
  });
});
