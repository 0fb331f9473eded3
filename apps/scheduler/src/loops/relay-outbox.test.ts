import type { StepDefinition } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import { DUE, State, stateKey } from '@flotilla/state';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Calm } from '../calm.ts';
import { FleetView } from '../decisions/fleet-view.ts';
import type { Loop } from './loop.ts';
import { createRelayLoop } from './relay-outbox.ts';
import { LoopWorld, NO_CHANNELS, NO_CHILDREN } from './testing/loop-world.ts';

let world: LoopWorld;
let loop: Loop | undefined;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await loop?.stop();
  loop = undefined;
  await world.close();
});

/** A relay of another process than the one that took the submission. */
function startRelay(state = world.createState()): void {
  loop = createRelay('s-1', state);
  loop.start();
}

function createRelay(schedulerId: string, state: State<Plan>): Loop {
  const { queues, logger } = world;
  const views = { fleet: new FleetView(state, { list: async () => [] }), breakers: world.createBreakerView() };
  const blocking = schedulerId === 's-1' ? world.blocking : world.client;
  return createRelayLoop({
    calm: new Calm(),
    state,
    queues,
    ...views,
    children: NO_CHILDREN,
    channels: world.createChannels(),
    blocking,
    schedulerId,
    logger,
  });
}

function compile(text: string): Plan {
  const compiled = compileWorkflow(JSON.parse(text));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

const outbox = () => world.client.xlen(stateKey(world.tag, 'outbox'));
const work = { kind: 'task', use: 'work', retry: { maxAttempts: 3, initialMs: 10 } } as const;

describe('the relay', () => {
  test("dates tasks by Redis' clock, however wrong its own is", async () => {
    jest.spyOn(Date, 'now').mockReturnValue(1000);
    await world.start({ a: work });
    const [seconds] = await world.client.time();
    startRelay();
    await eventually(() => world.queues.added.length === 1);
    expect(Math.abs(world.queues.added[0]!.at - Number(seconds) * 1000)).toBeLessThan(5000);
    expect(await world.queues.oldestWaitingAt('default')).toBe(world.queues.added[0]!.at);
  });

  test('ends a run whose definition is damaged, and drops its entry', async () => {
    const { plan, runId } = await world.start({ a: work });
    await world.damage(plan);
    startRelay();
    await eventually(async () => (await world.state.readRun(runId))?.status === 'failed');
    expect((await world.state.readRun(runId))?.error).toMatchObject({
      type: 'non_retryable',
      code: 'DATA_CORRUPTION',
    });
    await eventually(async () => (await outbox()) === 0);
    expect(world.queues.added).toEqual([]);
  });

  test('leaves to other schedulers what it cannot compile although it is intact, and hands out what stands beside it', async () => {
    const { runId, plan } = await world.start({ a: work });
    const beside = await world.start({ a: work, b: work });
    const broken = new State<Plan>({
      ...{ client: world.client, namespace: world.namespace, partitions: 1 },
      compile: (text) => {
        if (compile(text).hash === plan.hash) throw new TypeError('polluted');
        return compile(text);
      },
    });
    startRelay(broken);
    const isHandedOn = () => world.lines.filter(({ msg }) => /does not compile here/.test(String(msg))).length > 1;
    await eventually(isHandedOn, { timeoutMs: 10_000 });
    const runsOf = () => new Set(world.queues.added.flatMap(({ task }) => task.i.map(([id]) => id)));
    expect([...runsOf()]).toEqual([beside.runId]);
    expect(await world.state.readRun(runId)).toMatchObject({ status: 'pending' });
    const second = createRelay('s-2', world.createState());
    second.start();
    try {
      await eventually(() => runsOf().has(runId), { timeoutMs: 20_000 });
      await eventually(async () => (await outbox()) === 0, { timeoutMs: 10_000 });
    } finally {
      await second.stop();
    }
  }, 40_000);

  test('parks a step whose worker could not compile its definition, if it may begin, and says why', async () => {
    const { plan, runId, key } = await world.start({ a: work, b: { ...work, needs: ['a'] } });
    startRelay();
    await eventually(async () => world.queues.added.length === 1 && (await outbox()) === 0);
    for (const id of ['a', 'b']) await world.state.transitions.refuseDefinition(world.tag, runId, plan.hash, key(id));
    const [a, b] = await eventually(async () => {
      const { steps } = await world.state.listSteps(runId, { limit: 2 });
      return steps[0]!.status === 'parked' ? steps : undefined;
    });
    expect([a, b]).toMatchObject([
      { status: 'parked', reason: 'definition-not-understood', attempts: 0 },
      { status: 'waiting' },
    ]);
    expect(await world.due()).toContain(`p|${key('a')}|${runId}`);
  });

  test('fails each cleanup that it cannot hand out because the definition is damaged, and the run ends', async () => {
    const { plan, runId, key } = await world.start({ a: work });
    const { fence, createdAt } = await world.claim(runId, plan, key('a'), 'attempt-1');
    const attempt = { tag: world.tag, runId, key: key('a'), fence, createdAt, attemptId: 'attempt-1' };
    for (const digest of ['d1', 'd2']) {
      await world.state.transitions.registerCleanup(attempt, { use: 'undo', inputJson: '1', digest });
    }
    await world.damage(plan);
    startRelay();
    await eventually(async () => (await world.state.readRun(runId))?.status === 'cancelling');
    await world.state.transitions.release(attempt, 'cancelled');
    await eventually(async () => (await world.state.readRun(runId))?.status === 'failed');
    expect((await world.state.readRun(runId))?.cleanups).toMatchObject({ registered: 2, left: 0, failed: 2 });
    await eventually(async () => (await outbox()) === 0);
  });

  test('fails a run whose entry cannot be carried out, and hands out what stands beside it', async () => {
    const branch: StepDefinition = { kind: 'branch', cases: [{ when: 'true', to: 'b' }] };
    const { runId, plan } = await world.start({ a: branch, b: { ...work, needs: ['a'] } });
    await world.start({ a: work });
    // The counter of what the branch leads to is no number: settling the branch fails in the script.
    const group = plan.steps[plan.stepIndex.get('b')!]!.group;
    await world.client.hset(stateKey(world.tag, 'run', runId), `g${group}`, 'damaged');
    startRelay();
    await eventually(async () => (await outbox()) === 0, { timeoutMs: 10_000 });
    expect(await world.state.readRun(runId)).toMatchObject({ status: 'failed', error: { code: 'DATA_CORRUPTION' } });
    expect(world.queues.added).toHaveLength(1);
    expect(world.lines.filter(({ msg }) => /cannot be processed/.test(String(msg)))).toHaveLength(1);
  });

  test('does nothing of a group that fired before the run was reopened', async () => {
    const { plan, runId, key } = await world.start({ a: work, b: { ...work, needs: ['a'] } });
    await world.state.cancelRun(runId);
    await world.state.transitions.retryRun(world.tag, runId, { seen: undefined, selectionJson: '{}', dataJson: '{}' });
    startRelay();
    await eventually(async () => world.queues.added.length > 0 && (await outbox()) === 0);
    // One need, which failed: b would be skipped, and the run would be over although nobody has made a.
    const { group } = plan.steps[Number(key('b'))]!;
    const failed = `G|${runId}|${plan.hash}|${group}|${2 ** 34}`;
    await world.client.xadd(stateKey(world.tag, 'outbox'), '*', 'e', failed);
    await eventually(async () => (await outbox()) === 0);
    expect(await world.state.readRun(runId)).toMatchObject({ status: 'pending' });
    await world.client.xadd(stateKey(world.tag, 'outbox'), '*', 'e', `${failed}|2`);
    await eventually(async () =>
      (await world.state.listSteps(runId, { limit: 9 })).steps.some(({ status }) => status === 'skipped'),
    );
  });

  test('skips a step that a hint of an earlier opening has had parked', async () => {
    const { plan, runId, key } = await world.start({ a: work, b: { ...work, needs: ['a'] } });
    await world.state.cancelRun(runId);
    await world.state.transitions.retryRun(world.tag, runId, { seen: undefined, selectionJson: '{}', dataJson: '{}' });
    startRelay();
    await eventually(async () => world.queues.added.length > 0 && (await outbox()) === 0);
    await world.state.transitions.park({ tag: world.tag, runId, key: key('b') }, undefined, 'no-handler', 60_000);
    const { group } = plan.steps[Number(key('b'))]!;
    await world.client.xadd(stateKey(world.tag, 'outbox'), '*', 'e', `G|${runId}|${plan.hash}|${group}|${2 ** 34}|2`);
    await eventually(async () =>
      (await world.state.listSteps(runId, { limit: 9 })).steps.some(({ status }) => status === 'skipped'),
    );
    expect((await world.due()).filter((member) => member.startsWith('p|'))).toEqual([]);
  });

  describe('of a channel that cannot be served although Redis answers', () => {
    const waiting = { kind: 'receive', channel: 'orders' } as const;
    const metaOf = (channel: string) => `${world.tag}ch:${channel}`;

    /** Runs that have begun to wait at the channel, in the order in which they have. */
    async function startReceivers(count: number): Promise<string[]> {
      await Promise.all(Array.from({ length: count }, () => world.start({ take: waiting })));
      return eventually(async () => {
        const entries = await world.client.lrange(`${metaOf('orders')}:receivers`, 0, -1);
        return entries.length === count ? entries.map((entry) => entry.split('|')[0] ?? '') : undefined;
      });
    }

    test('fails the runs that wait at it, and hands out what stands beside its entry', async () => {
      startRelay();
      const runIds = await startReceivers(2);
      await world.client.set(`${metaOf('orders')}:ready`, 'no sorted set');
      await world.client.xadd(stateKey(world.tag, 'outbox'), '*', 'e', 'M|orders');
      await world.start({ a: work });
      await eventually(async () => world.queues.added.length === 1 && (await outbox()) === 0, { timeoutMs: 10_000 });
      for (const runId of runIds) {
        expect(await world.state.readRun(runId)).toMatchObject({
          status: 'failed',
          error: { code: 'DATA_CORRUPTION' },
        });
      }
      expect(world.lines.filter(({ msg }) => /channel cannot be served/.test(String(msg)))).toHaveLength(1);
      const channels = world.createChannels();
      await expect(channels.send({ channel: 'orders', body: 1, by: 'test' })).rejects.toMatchObject({
        code: 'DATA_CORRUPTION',
      });
    });

    test('gives the message of a receiver whose run is damaged to the next one', async () => {
      startRelay();
      const [damaged = '', next = ''] = await startReceivers(2);
      await world.client.hset(stateKey(world.tag, 'run', damaged), 'W', 'no counts|x');
      await world.client.hset(stateKey(world.tag, 'run', damaged), 's0', 'damaged');
      await world.createChannels().send({ channel: 'orders', body: { n: 1 }, by: 'test' });
      await eventually(async () => (await world.state.readRun(next))?.status === 'succeeded', { timeoutMs: 10_000 });
      await eventually(async () => (await outbox()) === 0, { timeoutMs: 10_000 });
    });
  });

  test('drops the entry of a run of which not even the status can be read', async () => {
    const { runId } = await world.start({ a: { kind: 'delay', forMs: 1 } });
    await world.client.hset(stateKey(world.tag, 'run', runId), 'm', 'damaged');
    startRelay();
    await eventually(async () => (await outbox()) === 0, { timeoutMs: 10_000 });
    expect(world.lines.filter(({ msg }) => /too corrupt/.test(String(msg)))).toHaveLength(1);
  });

  test('sets queued and total time before a worker can see the step: a claim in that moment ends the queued time', async () => {
    const { plan, runId, key } = await world.start({ a: { ...work, timeouts: { queuedMs: 60_000, totalMs: 90_000 } } });
    const a = key('a');
    let before: string[] = [];
    world.queues.onAdd = async () => {
      before = await world.due();
      await world.claim(runId, plan, a, 'attempt-1');
    };
    startRelay();
    await eventually(async () => (await outbox()) === 0);
    await eventually(() => world.queues.added.length === 1);
    expect(before.sort()).toEqual([`t|${a}|${runId}`, `w|${a}|${runId}`]);
    const after = await world.due();
    expect(after).toContain(`t|${a}|${runId}`);
    expect(after).not.toContain(`w|${a}|${runId}`);
  });

  test('sets no limit anew when an entry is repeated after its step has begun', async () => {
    const { plan, runId, key } = await world.start({ a: { ...work, timeouts: { queuedMs: 60_000 } } });
    const a = key('a');
    const { fence, createdAt } = await world.claim(runId, plan, a, 'attempt-1');
    startRelay();
    await eventually(async () => (await outbox()) === 0);
    expect(await world.due()).not.toContain(`w|${a}|${runId}`);
    expect(await world.failAttempt(runId, a, 'attempt-1', fence, createdAt, 60_000)).toMatchObject({
      outcome: 'retry',
    });
    await world.state.transitions.dispatched(
      world.tag,
      [],
      [
        { letter: DUE.queuedLimit, key: a, runId, inMs: 1 },
        { letter: DUE.totalLimit, key: a, runId, inMs: 1 },
      ],
    );
    // The total time goes on while a step backs off, the queued time does not begin.
    expect((await world.due()).filter((member) => 'wt'.includes(member[0]!))).toEqual([`t|${a}|${runId}`]);
  });

  describe('of several partitions', () => {
    let many: LoopWorld;
    beforeEach(async () => {
      many = await new LoopWorld(testNamespace(import.meta.url), 4).open();
    });
    afterEach(async () => {
      await loop?.stop();
      loop = undefined;
      await many.close();
    });

    /** Starts runs until each partition has one. */
    async function startInEach(step: StepDefinition): Promise<string[]> {
      const runIds: string[] = [];
      while (new Set(runIds.map((runId) => many.state.tagOf(runId))).size < 4) {
        runIds.push((await many.start({ a: step })).runId);
      }
      return runIds;
    }

    function startRelayOfMany(): void {
      const { state, queues, blocking, logger } = many;
      const fleet = new FleetView(state, { list: async () => [] });
      jest.spyOn(fleet, 'stepsPerTask').mockReturnValue(64);
      const breakers = many.createBreakerView();
      loop = createRelayLoop({
        calm: new Calm(),
        state,
        queues,
        fleet,
        breakers,
        children: NO_CHILDREN,
        channels: NO_CHANNELS,
        blocking,
        schedulerId: 's-1',
        logger,
      });
      loop.start();
    }

    const entriesOf = (tag: string) => many.client.xlen(stateKey(tag, 'outbox'));

    test('puts tiny steps of all of them into one task', async () => {
      const runIds = await startInEach(work);
      startRelayOfMany();
      await eventually(async () => (await Promise.all(many.state.tags.map(entriesOf))).every((left) => left === 0));
      expect(many.queues.added.map(({ task }) => task.i.map(([runId]) => runId).sort())).toEqual([runIds.sort()]);
    });

    test('hands out the steps of the others while the due index of one is damaged', async () => {
      const runIds = await startInEach({ ...work, timeouts: { queuedMs: 60_000 } });
      const [damaged, ...healthy] = many.state.tags;
      await many.client.set(stateKey(damaged!, 'due'), 'not an index');
      startRelayOfMany();
      await eventually(async () => (await Promise.all(healthy.map(entriesOf))).every((left) => left === 0));
      const handedOut = many.queues.added.flatMap(({ task }) => task.i.map(([runId]) => runId));
      expect(handedOut.sort()).toEqual(runIds.filter((runId) => many.state.tagOf(runId) !== damaged).sort());
      expect(await entriesOf(damaged!)).toBeGreaterThan(0);
    });
  });
});
