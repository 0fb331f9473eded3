import type { Json, WorkflowDefinition } from '@flotilla/contracts';
import type { ChannelWork } from '@flotilla/state';
import type { StepContext } from '@flotilla/steps';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Executor } from './executor.ts';
import { createExecutorWorld, type ExecutorWorld, work } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

let name = '';
let numberOfTests = 0;
beforeEach(() => {
  numberOfTests += 1;
  name = `c${numberOfTests}`;
});

type Handle = (context: StepContext) => Json | Promise<Json>;

const send = (body: Json) => world.channels.send({ channel: name, body, by: 'test' });
const depth = async () => (await world.channels.look(name))?.depth;

/** A run of one step, and the task that has an executor make it. */
async function startRun(handle: Handle, steps: WorkflowDefinition['steps'] = { a: work }) {
  let fence = 0;
  const executor = world.createExecutor(
    (_input, context) => {
      fence = context.fence;
      return handle(context);
    },
    { channels: world.channels },
  );
  const { runId, step } = await world.start(steps);
  return {
    runId,
    executor,
    make: (by: Executor = executor) => by.runTask({ v: 1, i: [step('a')] }),
    /** What a scheduler does after the commit. */
    carryOut: async () => {
      const run = world.state.run(runId);
      const key = String(fence - (await run.readCreatedAt()));
      const { taken } = JSON.parse((await run.readChannelWork('0', key)) ?? '{"taken":[]}') as ChannelWork;
      for (const { channel, assignment } of taken) await world.channels.acknowledge(channel, assignment);
      await world.state.transitions.channelWorkDone(run.address('0'), key);
      return taken.length;
    },
    view: async () => (await world.state.listSteps(runId, { limit: 1 })).steps[0],
  };
}

const receiveOne: Handle = ({ channel }) => channel(name).receive();

describe('messages that a handler receives', () => {
  test('are in order those of one key, and consumed by the commit of its attempt', async () => {
    for (const n of [1, 2, 3]) await send({ n });
    const run = await startRun(({ channel }) => channel(name).receive({ count: 2 }));
    await run.make();
    expect(await run.view()).toMatchObject({ status: 'succeeded', output: [{ n: 1 }, { n: 2 }] });
    expect(await depth()).toBe(3);
    expect(await run.carryOut()).toBe(1);
    expect(await depth()).toBe(1);
  });

  test('are for nobody else between the commit and what a scheduler makes of it', async () => {
    await send(1);
    const first = await startRun(receiveOne);
    await first.make();
    const second = await startRun(receiveOne);
    await second.make();
    expect([await first.view(), await second.view()]).toMatchObject([{ output: [1] }, { output: [] }]);
    await first.carryOut();
    expect(await depth()).toBe(0);
  });

  test('are there again, first of their key, when the attempt fails', async () => {
    await send(1);
    await send(2);
    const run = await startRun(async (context) => {
      await receiveOne(context);
      throw new Error('after it has received');
    });
    await run.make();
    expect(await run.view()).toMatchObject({ status: 'failed' });
    const next = await startRun(receiveOne);
    await next.make();
    expect(await next.view()).toMatchObject({ output: [1] });
  });

  test('are taken from an attempt whose worker is gone', async () => {
    await send(1);
    const dead = await startRun(() => null);
    await world.channels.take(name, { runId: dead.runId, key: '0', fence: '17' }, { count: 1 });
    const run = await startRun(receiveOne);
    await run.make();
    expect(await run.view()).toMatchObject({ output: [1] });
  });

  test('are waited for, no longer than asked, and none is no failure', async () => {
    const none = await startRun(({ channel }) => channel(name).receive({ timeoutMs: 30 }));
    await none.make();
    expect(await none.view()).toMatchObject({ status: 'succeeded', output: [] });
    const run = await startRun(({ channel }) => channel(name).receive({ timeoutMs: 60_000 }));
    const made = run.make();
    await eventually(() => run.executor.live.size === 1);
    await send('late');
    await made;
    expect(await run.view()).toMatchObject({ output: ['late'] });
  });

  test('are not waited for by an attempt that is aborted', async () => {
    const run = await startRun(({ channel }) => channel(name).receive({ timeoutMs: 60_000 }));
    const made = run.make();
    await eventually(() => run.executor.live.size === 1);
    run.executor.live.abortAttempt(run.runId, '0.', [...run.executor.live.ids()][0] ?? '');
    await made;
    await send(1);
    expect(await world.channels.take(name, { runId: 'other', key: '0', fence: '1' }, { count: 1 })).toBeDefined();
  });

  test.each<[string, object]>([
    ['no messages', { count: 0 }],
    ['too many messages', { count: 101 }],
    ['a wait without an end', { timeoutMs: Number.POSITIVE_INFINITY }],
    ['what is not known', { keys: 'a' }],
  ])('are refused to who asks for %s', async (_what, options) => {
    const run = await startRun(({ channel }) => channel(name).receive(options));
    await run.make();
    expect(await run.view()).toMatchObject({ status: 'failed', error: { code: 'CHANNEL_REFUSED' } });
  });

  test('are refused where the worker has no channels', async () => {
    const { step, runId } = await world.start({ a: work });
    await world.createExecutor((_input, context) => receiveOne(context)).runTask({ v: 1, i: [step('a')] });
    const { steps } = await world.state.listSteps(runId, { limit: 1 });
    expect(steps).toMatchObject([{ error: { code: 'CHANNEL_REFUSED' } }]);
  });
});
