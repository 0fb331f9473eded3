import { WorkMeter } from '@flotilla/agents';
import { FlotillaError, type Json, type WorkflowDefinition } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import type { TaskStep } from '@flotilla/queue';
import { closeConnection, connectRedis, type RedisClient, type RedisConnection, untilReady } from '@flotilla/redis';
import { listenForHints, NO_HEADER, STATES, State, stateKey } from '@flotilla/state';
import { defineStep, type Handler, type StepContext } from '@flotilla/steps';
import { createLogger } from '@flotilla/telemetry';
import { eventually, sharedRedis, testNamespace, within } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Executor } from './executor.ts';
import type { ExecutorOptions } from './executor-options.ts';
import { type RedisProxy, startRedisProxy } from './testing/redis-proxy.ts';

type Run = (input: Json, context: StepContext) => Json | Promise<Json>;

/** A call that Redis does not answer is given up after this long: shorter than the outages of these tests. */
const GIVE_UP_MS = 150;
/** Longer than the client holds a call back for a reconnect. */
const OUTAGE_MS = 1200;

let proxy: RedisProxy;
/** The connection of the worker, through the proxy; and one that no test breaks. */
let worker: RedisConnection;
let direct: RedisConnection;
let namespace: string;
/** Sees the run over the connection that stays. */
let observer: State<Plan>;
beforeAll(async () => {
  proxy = await startRedisProxy(sharedRedis().url);
  direct = connectRedis(sharedRedis().url, 'commands');
  worker = connectRedis(proxy.url, 'commands', { onError: () => undefined });
  await Promise.all([untilReady(direct, 60_000), untilReady(worker, 5000)]);
});
beforeEach(() => {
  namespace = testNamespace(import.meta.url);
  observer = stateOver(direct.client);
});
afterEach(() => proxy.mend());
afterAll(async () => {
  await Promise.all([closeConnection(direct), closeConnection(worker)]);
  await proxy.close();
});

function compile(document: unknown): Plan {
  const compiled = compileWorkflow(document);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

function stateOver(client: RedisClient, progressDeadlineMs = 5000): State<Plan> {
  return new State<Plan>({
    client,
    namespace,
    partitions: 1,
    compile: (text) => compile(JSON.parse(text)),
    progressDeadlineMs,
  });
}

function createExecutor(run: Run, state: State<Plan>, more: Partial<ExecutorOptions> = {}): Executor {
  const handler = defineStep({ name: 'work', run }) as Handler;
  const abilities = { handlers: new Map([[handler.use, handler]]), queues: new Set(['default']) };
  const logger = createLogger({ name: 'attempt-trouble-test', level: 'silent' });
  return new Executor({ state, workerId: 'worker-1', abilities, slots: 4, logger, ...more });
}

const work = { kind: 'task', use: 'work', retry: { maxAttempts: 1 } } as const;

async function start(
  steps: WorkflowDefinition['steps'],
  rest: Partial<WorkflowDefinition> = {},
): Promise<{ runId: string; plan: Plan; step: (id: string, item?: number) => TaskStep }> {
  const plan = compile({ flotilla: 1, name: 'troubled', steps, ...rest });
  const { runId } = await observer.createRun({ plan, inputJson: '{}', bodyHash: 'body', tags: [], durability: 'fast' });
  const keyOf = (id: string, item?: number) => `${plan.stepIndex.get(id)}${item === undefined ? '' : `.${item}`}`;
  return { runId, plan, step: (id, item) => [runId, plan.hash, keyOf(id, item)] };
}

const statusOf = async (runId: string) => (await observer.readRun(runId))?.status;
const inFlight = () => direct.client.zcard(stateKey(observer.tags[0]!, 'lease'));

async function eventsOf(runId: string): Promise<string[]> {
  const { events } = await observer.readHistory(runId, { after: -1, limit: 1000 });
  return events.filter(({ type }) => type.startsWith('attempt-')).map(({ type, stepId }) => `${type} ${stepId}`);
}

/** The object with some of its members replaced. */
function replacing<T extends object>(object: T, members: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(object, {
    get: (of, name) => {
      if (Object.hasOwn(members, name)) return members[name as keyof T];
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}

/** So that Redis knows the scripts of the worker: then a call is one request. */
async function makeOneRun(state: State<Plan>): Promise<void> {
  const { step, runId } = await start({ warm: work });
  await createExecutor(() => 1, state).runTask({ v: 1, i: [step('warm')] });
  expect(await statusOf(runId)).toBe('succeeded');
}

function cutForAWhile(): void {
  proxy.cut();
  setTimeout(() => proxy.mend(), OUTAGE_MS);
}

const EVER_MS = 15_000;

describe('when the connection to Redis breaks', () => {
  test('in the middle of a claim, the attempt that it made is made and not kept', async () => {
    const state = stateOver(worker.client, GIVE_UP_MS);
    await makeOneRun(state);
    const { runId, step } = await start({ a: work });
    const cut = proxy.cutAfter('claim\r\n').then(() => setTimeout(() => proxy.mend(), OUTAGE_MS));
    const task = createExecutor(() => 1, state).runTask({ v: 1, i: [step('a')] });
    await within(cut, EVER_MS, 'the claim');
    await within(task, EVER_MS, 'the task to end');
    expect(await statusOf(runId)).toBe('succeeded');
    expect(await inFlight()).toBe(0);
    expect(await eventsOf(runId)).toEqual(['attempt-started a', 'attempt-succeeded a']);
  }, 30_000);

  test('before a commit, the result is kept and committed when Redis is back', async () => {
    const state = stateOver(worker.client, GIVE_UP_MS);
    await makeOneRun(state);
    const { runId, step } = await start({ a: work });
    const executor = createExecutor(async () => {
      cutForAWhile();
      await eventually(() => worker.client.status !== 'ready');
      return 1;
    }, state);
    await within(executor.runTask({ v: 1, i: [step('a')] }), EVER_MS, 'the attempt to end');
    expect(await eventsOf(runId)).toEqual(['attempt-started a', 'attempt-succeeded a']);
    expect({ inFlight: await inFlight(), running: executor.live.size, free: executor.slots.free }).toEqual({
      inFlight: 0,
      running: 0,
      free: 4,
    });
    expect(await statusOf(runId)).toBe('succeeded');
  }, 30_000);

  test('after a commit, the chain goes on with the step that the commit claimed', async () => {
    const state = stateOver(worker.client, GIVE_UP_MS);
    await makeOneRun(state);
    const { runId, step } = await start({ a: work, b: { ...work, needs: ['a'] } });
    const cut = proxy.cutAfter('"what was made"').then(() => setTimeout(() => proxy.mend(), OUTAGE_MS));
    const task = createExecutor(() => 'what was made', state).runTask({ v: 1, i: [step('a')] });
    await within(cut, EVER_MS, 'the commit');
    await within(task, EVER_MS, 'the task to end');
    const { steps } = await observer.listSteps(runId, { limit: 2 });
    expect(steps).toMatchObject([
      { status: 'succeeded', output: 'what was made', attempts: 1 },
      { status: 'succeeded', output: 'what was made', attempts: 1 },
    ]);
    expect((await eventsOf(runId)).filter((event) => event.startsWith('attempt-rejected'))).toEqual([]);
    expect([await statusOf(runId), await inFlight()]).toEqual(['succeeded', 0]);
  }, 30_000);

  test('while the sources of an input are read, the reading is repeated and the step not charged', async () => {
    const { runId, step } = await startReader();
    const hmget = worker.client.hmget.bind(worker.client);
    let tries = 0;
    const breaking = replacing(worker.client, {
      hmget: async (...args: [string, ...string[]]) => {
        tries += 1;
        if (tries === 1) {
          cutForAWhile();
          await eventually(() => worker.client.status !== 'ready');
        }
        return hmget(...args);
      },
    });
    const reader = stateOver(breaking);
    await within(createExecutor((input) => input, reader).runTask({ v: 1, i: [step('b')] }), EVER_MS, 'the reading');
    expect(tries).toBeGreaterThan(1);
    const { steps } = await observer.listSteps(runId, { limit: 9 });
    expect(steps.find(({ stepId }) => stepId === 'b')).toMatchObject({
      status: 'succeeded',
      attempts: 1,
      output: { all: [1, 2] },
    });
    expect((await eventsOf(runId)).filter((line) => line.endsWith(' b'))).toEqual([
      'attempt-started b',
      'attempt-succeeded b',
    ]);
  }, 30_000);

  test('for longer than reading is repeated, the step goes back uncharged', async () => {
    const { runId, step } = await startReader();
    const away = replacing(direct.client, {
      hmget: () => Promise.reject(new FlotillaError('REDIS_UNAVAILABLE', 'Redis did not serve the call')),
    });
    const reader = stateOver(away);
    await createExecutor((input) => input, reader).runTask({ v: 1, i: [step('b')] });
    const { steps } = await observer.listSteps(runId, { limit: 9 });
    expect(steps.find(({ stepId }) => stepId === 'b')).toMatchObject({ status: 'ready', attempts: 0 });
    expect([await statusOf(runId), await inFlight()]).toEqual(['running', 0]);
  });
});

/** A run whose step `b` reads the outputs of a map that has succeeded: they do not come with its claim. */
async function startReader() {
  const run = await start({
    items: { kind: 'map', over: '[1, 2]', each: { kind: 'task', use: 'work', input: '${{ item }}' } },
    b: { ...work, needs: ['items'], input: { all: '${{ steps.items.output }}' }, timeouts: { totalMs: 60_000 } },
  });
  const key = run.step('items')[2];
  const address = { tag: observer.tags[0]!, runId: run.runId, key };
  const settings = { concurrency: 2, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 2 };
  expect(await observer.transitions.startMap(address, ['1', '2'], settings)).toBe('started');
  await createExecutor((input) => input, observer).runTask({ v: 1, i: [run.step('items', 0), run.step('items', 1)] });
  return run;
}

describe('an attempt whose ending meets trouble of another kind', () => {
  test('counts as failed and is not kept', async () => {
    const { runId, step } = await start({ a: work });
    const commit = () => Promise.reject(new FlotillaError('INTERNAL', 'transition commit failed'));
    const state = replacing(observer, { transitions: replacing(observer.transitions, { commit }) });
    await within(createExecutor(() => 1, state).runTask({ v: 1, i: [step('a')] }), EVER_MS, 'the attempt to end');
    expect((await observer.readRun(runId))?.error).toMatchObject({ code: 'INTERNAL' });
    expect([await statusOf(runId), await inFlight()]).toEqual(['failed', 0]);
  });
});

describe('a message that ends attempts', () => {
  /** Handlers that end by their abort or by `end`; tells who was aborted. */
  function createWaiting() {
    const aborted: string[] = [];
    const ends = new Map<string, () => void>();
    const executor = createExecutor(
      (_, { signal, stepId }) =>
        new Promise<Json>((resolve, reject) => {
          ends.set(stepId, () => resolve(1));
          signal.addEventListener('abort', () => {
            aborted.push(stepId);
            reject(signal.reason);
          });
        }),
      observer,
    );
    return { executor, aborted, ends };
  }

  /** The messages that state sends to workers. */
  async function listen(): Promise<{ hints: string[]; stop: () => Promise<unknown> }> {
    const hints: string[] = [];
    const subscriber = connectRedis(sharedRedis().url, 'subscriber');
    await listenForHints(subscriber.client, namespace, 'aborts', (hint) => hints.push(hint));
    return { hints, stop: () => closeConnection(subscriber) };
  }

  const failing = {
    event: 'attempt-timed-out',
    errorJson: '{}',
    runErrorJson: '{}',
    failFast: false,
    tolerated: false,
  } as const;

  test('because of the total time of one step names its attempt alone, and siblings go on', async () => {
    const limited = { ...work, timeouts: { totalMs: 50_000 } };
    const { runId, step } = await start({ a: limited, b: work }, { failFast: false });
    const { executor, aborted, ends } = createWaiting();
    const { hints, stop } = await listen();
    const task = executor.runTask({ v: 1, i: [step('a'), step('b')] });
    await eventually(() => ends.size === 2);
    await observer.transitions.fail({
      ...failing,
      tag: observer.tags[0]!,
      runId,
      key: step('a')[2],
      attempt: { from: NO_HEADER + STATES.unsettled },
      endStep: true,
      hasTotalTimer: true,
      edges: [],
    });
    const hint = await eventually(() => hints[0]);
    expect(hint).toMatch(new RegExp(`^${runId}\\|${step('a')[2]}\\|[\\w-]{16,32}$`));
    const [run, key, attemptId] = hint.split('|');
    executor.live.abortAttempt(run!, key!, attemptId!);
    await eventually(() => aborted.length > 0);
    expect(executor.live.size).toBeGreaterThanOrEqual(1);
    ends.get('b')!();
    await within(task, EVER_MS, 'the task to end');
    await stop();
    expect([aborted, hints]).toEqual([['a'], [hint]]);
    expect(await eventsOf(runId)).toEqual(expect.arrayContaining(['attempt-succeeded b', 'attempt-timed-out a']));
    expect(await statusOf(runId)).toBe('failed');
  });

  test('of a map that has failed names its items alone, and other steps go on', async () => {
    const { runId, step } = await start(
      {
        items: { kind: 'map', over: '[1, 2]', each: { kind: 'task', use: 'work', input: '${{ item }}' } },
        other: work,
      },
      { failFast: false },
    );
    const key = step('items')[2];
    const tag = observer.tags[0]!;
    const settings = { concurrency: 3, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 2 };
    await observer.transitions.startMap({ tag, runId, key }, ['1', '2', '3'], settings);
    const { executor, aborted, ends } = createWaiting();
    const { hints, stop } = await listen();
    const items = [step('items', 1), step('items', 2)];
    const task = executor.runTask({ v: 1, i: [...items, step('other')] });
    await eventually(() => ends.size === 3);
    await observer.transitions.fail({
      ...failing,
      tag,
      runId,
      key: `${key}.0`,
      attempt: { from: STATES.unclaimed },
      endStep: true,
      hasTotalTimer: false,
      parentKey: key,
      edges: [],
      successEdges: [],
    });
    await eventually(() => hints.length === 1);
    expect(hints).toEqual([`${runId}|${key}.|`]);
    const [run, prefix, attemptId] = hints[0]!.split('|');
    executor.live.abortAttempt(run!, prefix!, attemptId!);
    await eventually(() => aborted.length === 2);
    ends.get('other')!();
    await within(task, EVER_MS, 'the task to end');
    await stop();
    expect([...aborted].sort()).toEqual(['items[1]', 'items[2]']);
    expect(await eventsOf(runId)).toContain('attempt-succeeded other');
  });
});

describe('a worker that finds the definition of a run damaged', () => {
  test.each([
    ['is gone', (key: string) => direct.client.hdel(key, 'text')],
    ['is no JSON', (key: string) => direct.client.hset(key, 'text', '{"flotilla":1,')],
    ['does not compile', (key: string) => direct.client.hset(key, 'text', '{"flotilla":1,"name":"x","steps":{}}')],
  ])('ends the run when it %s', async (_what, damage) => {
    const { runId, plan, step } = await start({ a: work, b: { ...work, needs: ['a'] } });
    await damage(stateKey(observer.tags[0]!, 'definition', plan.hash));
    let made = 0;
    const executor = createExecutor(() => ++made, stateOver(direct.client));
    await executor.runTask({ v: 1, i: [step('a')] });
    expect(await observer.readRun(runId)).toMatchObject({ status: 'failed', error: { code: 'DATA_CORRUPTION' } });
    expect([made, executor.slots.free, await inFlight()]).toEqual([0, 4, 0]);
  });
});

describe('a worker that cannot compile a definition that is intact', () => {
  /** As in a process that is older than the definition, or in which a handler has broken something. */
  const brokenState = () =>
    new State<Plan>({
      ...{ client: direct.client, namespace, partitions: 1, progressDeadlineMs: 5000 },
      compile: () => {
        throw new TypeError('Object prototype may only be an Object or null: polluted');
      },
    });
  const outbox = () => direct.client.xrange(stateKey(observer.tags[0]!, 'outbox'), '-', '+');

  test('leaves the step to others, uncharged, says so to the schedulers, and counts it against itself', async () => {
    const { runId, plan, step } = await start({ a: work });
    const meter = new WorkMeter();
    let made = 0;
    const executor = createExecutor(() => ++made, brokenState(), { meter });
    await executor.runTask({ v: 1, i: [step('a')] });
    expect([made, executor.slots.free, await inFlight(), await statusOf(runId)]).toEqual([0, 4, 0, 'pending']);
    expect((await outbox()).at(-1)?.[1]).toEqual(['e', `N|${runId}|${plan.hash}|${step('a')[2]}`]);
    expect(meter.report()).toMatchObject({ failed: 1, consecutiveFailures: 1, handlers: {} });
    await createExecutor(() => ++made, stateOver(direct.client)).runTask({ v: 1, i: [step('a')] });
    expect([made, await statusOf(runId)]).toEqual([1, 'succeeded']);
  });
});
