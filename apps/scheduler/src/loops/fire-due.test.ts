import { DUE, stateKey, TrialMarks } from '@flotilla/state';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Calm } from '../calm.ts';
import { createFireDueLoop } from './fire-due.ts';
import type { Loop } from './loop.ts';
import { LoopWorld } from './testing/loop-world.ts';

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

function startLoop(state = world.createState()): void {
  loop = createFireDueLoop({ state, queues: world.queues, schedulerId: 's-1', calm: new Calm(), logger: world.logger });
  loop.start();
}

const statusOf = async (runId: string) => (await world.state.readRun(runId))?.status;
const work = { kind: 'task', use: 'work' } as const;

describe('what is due', () => {
  test('ends a run whose definition is damaged', async () => {
    const { plan, runId, key } = await world.start({ a: { kind: 'delay', forMs: 60_000 } });
    await world.state.transitions.startDelay({ tag: world.tag, runId, key: key('a') }, 60_000);
    await world.makeDue(`d|${key('a')}|${runId}`);
    await world.damage(plan);
    startLoop();
    await eventually(async () => (await statusOf(runId)) === 'failed');
    expect((await world.state.readRun(runId))?.error).toMatchObject({ code: 'DATA_CORRUPTION' });
    await eventually(async () => (await world.due()).length === 0);
  });

  test('of a run whose fields are damaged ends the run, or is dropped where it has no status either', async () => {
    const members = await Promise.all(
      ['d', 'm'].map(async (field) => {
        const { plan, runId, key } = await world.start({ a: work });
        const { fence, createdAt } = await world.claim(runId, plan, key('a'), 'attempt-1');
        await world.failAttempt(runId, key('a'), 'attempt-1', fence, createdAt, 60_000);
        await world.makeDue(`b|${key('a')}|${runId}`);
        await world.client.hset(stateKey(world.tag, 'run', runId), field, 'damaged');
        if (field === 'd') await world.client.hdel(stateKey(world.tag, 'run', runId), field);
        return runId;
      }),
    );
    startLoop();
    await eventually(async () => (await world.due()).length === 0);
    const meta = (runId: string) => world.client.hget(stateKey(world.tag, 'run', runId), 'm');
    expect(await meta(members[0]!)).toMatch(/^F/);
    expect(await meta(members[1]!)).toBe('damaged');
    expect(world.lines.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining([
        'run (or cleanup) cannot continue; marking it failed',
        'run data is too corrupt to mark the run failed',
      ]),
    );
  });

  test('ends a step that nobody started within its queued time', async () => {
    const { runId, key } = await world.start({ a: { ...work, timeouts: { queuedMs: 1 } } });
    await world.state.transitions.dispatched(
      world.tag,
      [],
      [{ letter: DUE.queuedLimit, key: key('a'), runId, inMs: 1 }],
    );
    startLoop();
    await eventually(async () => (await statusOf(runId)) === 'failed');
    expect((await world.state.readRun(runId))?.error).toMatchObject({ code: 'TIMEOUT' });
  });

  test('ends the map of an item that nobody started within its queued time, as any failed item does', async () => {
    const each = { ...work, timeouts: { queuedMs: 1 } };
    const { runId, key } = await world.start({ m: { kind: 'map', over: '[1]', each } });
    const map = key('m');
    const settings = { concurrency: 1, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 1 };
    await world.state.transitions.startMap({ tag: world.tag, runId, key: map }, ['1'], settings);
    await world.state.transitions.dispatched(
      world.tag,
      [],
      [{ letter: DUE.queuedLimit, key: `${map}.0`, runId, inMs: 1 }],
    );
    startLoop();
    await eventually(async () => (await statusOf(runId)) === 'failed');
    const { error } = (await world.state.readRun(runId))!;
    expect(error).toMatchObject({ code: 'MAP_ITEMS_FAILED', stepId: 'm' });
    expect(error?.message).toContain('m[0]: TIMEOUT: no attempt started within 1 ms');
    const { steps } = await world.state.listSteps(runId, { limit: 5 });
    expect(steps.map((step) => [step.stepId, step.error?.code])).toEqual([
      ['m', 'MAP_ITEMS_FAILED'],
      ['m[0]', 'TIMEOUT'],
    ]);
  });

  test('leaves a step alone that has begun or backs off when an old queued time is due', async () => {
    const { plan, runId, key } = await world.start({ a: { ...work, timeouts: { queuedMs: 60_000 } } });
    const a = key('a');
    const stale = `w|${a}|${runId}`;
    const { fence, createdAt } = await world.claim(runId, plan, a, 'attempt-1');
    const fireStale = async () => {
      await world.client.zadd(stateKey(world.tag, 'due'), 1, stale);
      await eventually(async () => !(await world.due()).includes(stale));
    };
    startLoop();
    await fireStale();
    expect(await world.failAttempt(runId, a, 'attempt-1', fence, createdAt, 60_000)).toMatchObject({
      outcome: 'retry',
    });
    await fireStale();
    const { steps } = await world.state.listSteps(runId, { limit: 1 });
    expect(steps[0]).toMatchObject({ status: 'backing-off', attempts: 1 });
    expect(await statusOf(runId)).toBe('running');
  });
});

describe.each([
  ['an hour ahead', 3_600_000],
  ['an hour behind', -3_600_000],
])('when the clock of the process is %s, a step whose hint nobody took', (_what, skewMs) => {
  /** Makes a step due that was handed out 5 s ago, with one task in its queue; tells whether it was handed out again. */
  async function isHandedOutAgain(taskAgeMs: number): Promise<boolean> {
    const now = Date.now.bind(Date);
    jest.spyOn(Date, 'now').mockImplementation(() => now() + skewMs);
    const { runId, plan, key } = await world.start({ a: work });
    const [seconds, micros] = await world.client.time();
    const redisNow = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    await world.queues.add('default', [
      { id: 'waiting', name: 'chain/a', at: redisNow - taskAgeMs, task: { v: 1, i: [[runId, plan.hash, key('a')]] } },
    ]);
    const hint = `q|${key('a')}|${runId}`;
    await world.client.zadd(stateKey(world.tag, 'due'), redisNow - 1, hint);
    const before = await world.client.xlen(stateKey(world.tag, 'outbox'));
    startLoop();
    await eventually(async () => Number(await world.client.zscore(stateKey(world.tag, 'due'), hint)) > redisNow);
    await loop!.stop();
    return (await world.client.xlen(stateKey(world.tag, 'outbox'))) > before;
  }

  test('stays where it is while older tasks wait', async () => {
    expect(await isHandedOutAgain(10_000)).toBe(false);
  });

  test('is handed out again when all that wait are younger', async () => {
    expect(await isHandedOutAgain(0)).toBe(true);
  });

  test('is carried out alone when those who took it have gone twice, and is set aside when one ended in the middle', async () => {
    const survived = await world.start({ a: { kind: 'delay', forMs: 60_000 } });
    const crashing = await world.start({ a: { kind: 'delay', forMs: 60_001 } });
    for (const { runId, key } of [survived, crashing]) {
      await world.state.transitions.startDelay({ tag: world.tag, runId, key: key('a') }, 60_000);
      const member = `d|${key('a')}|${runId}`;
      // Taken twice: in eighths of a millisecond.
      await world.client.zadd(stateKey(world.tag, 'due'), 'XX', '1.25', member);
    }
    const marks = new TrialMarks(world.client, 's-dead');
    await marks.begin(world.tag, `due d|${crashing.key('a')}|${crashing.runId}`);
    startLoop();
    await eventually(async () => (await statusOf(crashing.runId)) === 'failed');
    expect((await world.state.readRun(crashing.runId))?.error).toMatchObject({ code: 'SCHEDULER_CRASH_LIMIT' });
    await eventually(async () => (await statusOf(survived.runId)) === 'succeeded' || (await world.due()).length === 0);
    expect(await world.client.exists(stateKey(world.tag, 'trials'))).toBe(0);
    expect(await statusOf(survived.runId)).not.toBe('failed');
  });

  test('counts how often an entry was taken without being done', async () => {
    const { runId, key } = await world.start({ a: { kind: 'delay', forMs: 60_000 } });
    await world.state.transitions.startDelay({ tag: world.tag, runId, key: key('a') }, 60_000);
    const member = `d|${key('a')}|${runId}`;
    const counts: number[] = [];
    for (let taking = 0; taking < 3; taking += 1) {
      const score = Number(await world.client.zscore(stateKey(world.tag, 'due'), member));
      await world.client.zadd(stateKey(world.tag, 'due'), 'XX', String(1 + (score % 1)), member);
      const { taken } = await world.state.transitions.takeDue(world.tag, 10);
      counts.push(...taken.map(({ takenBefore }) => takenBefore));
    }
    expect(counts).toEqual([0, 1, 2]);
  });
});
