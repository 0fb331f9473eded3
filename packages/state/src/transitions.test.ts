import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DUE, type DueLetter, NO_HEADER, STATES, STEP } from './format.ts';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { parseStepHeader } from './step-header.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, edgeTo, historyOf, requestOf, TestWorker } from './testing/state-for-tests.ts';

/** What the model test meets too seldom, or cannot bring about. */

const plan = shapeOf('pair', [{ id: 'first' }, { id: 'second', needs: [0] }, { id: 'items', kind: 'map' }]);

let connection: RedisConnection;
let state: State<PlanShape>;
let runId: string;
let worker: TestWorker;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(async () => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [plan]);
  ({ runId } = await state.createRun(requestOf(plan)));
  worker = new TestWorker(state, runId);
});
afterAll(() => closeConnection(connection));

const runKey = () => stateKey(worker.tag, 'run', runId);
const headerOf = async (key: string) => (await connection.client.hget(runKey(), `s${key}`)) ?? '';

async function outboxLines(): Promise<string[]> {
  const entries = await connection.client.xrange(stateKey(worker.tag, 'outbox'), '-', '+');
  return entries
    .flatMap(([, fields]) => fields[1]!.split('\n'))
    .map((line) => line.split('|').toSpliced(1, 2).join('|'));
}

describe('a claim', () => {
  test('gives a fence above the last one even when the clock has gone back', async () => {
    const first = await worker.take('0', 'one');
    await state.transitions.release({ ...worker.address('0'), ...first, attemptId: 'one' }, 'drain');
    // A failover to a replica whose clock is behind: the last fence lies in the future.
    const parts = (await headerOf('0')).split('|');
    parts[3] = '5000000';
    await connection.client.hset(runKey(), 's0', parts.join('|'));
    const second = await worker.take('0', 'two');
    expect(second.fence).toBe(second.createdAt + 5_000_001);
  });

  test('of a parked step is its first attempt', async () => {
    await state.transitions.park(worker.address('0'), undefined, 'no-handler', 60_000);
    const claimed = await worker.take('0', 'one');
    expect(claimed.firstAt).toBe(claimed.claimedAt);
  });

  test('reads what it is asked for, thousands of steps at once, and nothing else', async () => {
    const sources = Array.from({ length: 6000 }, (_, index) => String(index + 10));
    const fields = sources.flatMap((key) => [`s${key}`, `S|${key}`, `o${key}`, `"${key}"`]);
    for (let at = 0; at < fields.length; at += 4000)
      await connection.client.hset(runKey(), ...fields.slice(at, at + 4000));
    const claimed = await worker.take('0', 'one', { wantsInput: true, sources });
    expect(claimed.inputJson).toBe('{"n":1}');
    expect(claimed.sources).toHaveLength(6000);
    expect(claimed.sources.at(-1)).toEqual({ key: '6009', header: 'S|6009', output: '"6009"' });
    const bare = await worker.take('0', 'one', { wantsInput: false });
    expect([bare.inputJson, bare.itemJson, bare.sources]).toEqual(['', '', []]);
  });
});

describe('a step whose needs have not settled', () => {
  const group = { group: 1, any: false, initial: 1 };

  test('is not parked, by whatever hint: it could be claimed then', async () => {
    await state.transitions.park(worker.address('1'), group, 'no-handler', 60_000);
    expect(await headerOf('1')).toBe('');
    expect(await worker.claim('1', 'one', group)).toEqual({ refused: 'not-due' });
    expect(await connection.client.zscore(stateKey(worker.tag, 'due'), `p|1|${runId}`)).toBeNull();
  });

  test('is parked when they have', async () => {
    const claimed = await worker.take('0', 'one');
    await worker.commit('0', 'one', claimed, { edges: [edgeTo(1)] });
    await state.transitions.park(worker.address('1'), group, 'no-handler', 60_000);
    expect(await headerOf('1')).toMatch(/^P/);
  });

  test('is not parked when it is an item of a map that has not begun, or one beyond those that may be made', async () => {
    const park = (key: string) => state.transitions.park(worker.address(key), group, 'no-handler', 60_000);
    await park('2.0');
    await worker.startMap('2', 3, { concurrency: 1 });
    await park('2.1');
    await park('2.0');
    expect([await headerOf('2.0'), await headerOf('2.1')]).toEqual([expect.stringMatching(/^P/), '']);
  });
});

describe('claims and commits of one group', () => {
  test('that meet a damaged step leave the others of their run and group as they would be without it', async () => {
    const claimed = await worker.take('0', 'one');
    await connection.client.hset(runKey(), 's7', 'R|damaged');
    const [damaged, commit, claim, refused] = await Promise.allSettled([
      worker.commit('7', 'one', claimed),
      worker.commit('0', 'one', claimed, { endStep: false }),
      worker.claim('8', 'two'),
      worker.claim('8', 'three'),
    ]);
    expect(damaged).toMatchObject({ value: { outcome: 'rejected' } });
    expect(commit).toMatchObject({ value: { outcome: 'committed' } });
    expect(claim).toMatchObject({ value: { claimed: { failures: 0 } } });
    expect(refused).toMatchObject({ value: { refused: 'leased' } });
  });

  test('of which one fails in the script are applied one by one, and only that one answers an error', async () => {
    const claimed = await worker.take('0', 'one');
    // Its live attempts cannot be counted: whatever changes that run fails.
    const other = await state.createRun(requestOf(plan, { runId: undefined }));
    const damagedKey = stateKey(state.tagOf(other.runId), 'run', other.runId);
    await connection.client.hset(damagedKey, 'm', 'r|damaged');
    const broken = new TestWorker(state, other.runId);
    const [before, failed, after] = await Promise.allSettled([
      worker.commit('0', 'one', claimed, { endStep: false }),
      broken.claim('0', 'two'),
      worker.claim('8', 'three'),
    ]);
    expect(before).toMatchObject({ value: { outcome: 'committed' } });
    expect(failed).toMatchObject({ reason: { code: 'INTERNAL' } });
    expect(after).toMatchObject({ value: { claimed: { failures: 0 } } });
    expect(await connection.client.hgetall(damagedKey)).toMatchObject({ m: 'r|damaged' });
    expect(await headerOf('0')).toMatch(/^S/);
    expect((await historyOf(state, runId)).filter((type) => type === 'step-succeeded')).toHaveLength(1);
    expect(await connection.client.zrange(stateKey(worker.tag, 'lease'), '0', '-1')).toEqual([`${runId}|8`]);
  });
});

describe('a commit', () => {
  test('asked again goes on with the step that it claimed, and claims no second one', async () => {
    const claimed = await worker.take('0', 'one');
    const going = { nextAttemptId: 'next', edges: [edgeTo(1, { key: '1', attemptMs: 1000 })] };
    const first = await worker.commit('0', 'one', claimed, going);
    const again = await worker.commit('0', 'one', claimed, going);
    expect(first).toMatchObject({ outcome: 'continued', key: '1' });
    expect(again).toMatchObject({ outcome: 'continued', key: '1' });
    if (first.outcome !== 'continued' || again.outcome !== 'continued') throw new Error('not continued');
    expect(again.attempt.fence).toBe(first.attempt.fence);
    expect((await historyOf(state, runId)).filter((type) => type === 'attempt-started')).toHaveLength(2);
  });

  test('of a map item asked again goes on with the item that it claimed', async () => {
    await worker.startMap('2', 5, { concurrency: 2 });
    const claimed = await worker.take('2.1', 'one');
    const going = { nextAttemptId: 'next', nextItemAttemptMs: 1000 };
    const first = await worker.commit('2.1', 'one', claimed, going);
    // Meanwhile another item has ended, and the one behind it has begun.
    const other = await worker.take('2.0', 'other');
    await worker.commit('2.0', 'other', other, {
      nextAttemptId: 'third',
      nextItemAttemptMs: 1000,
    });
    const again = await worker.commit('2.1', 'one', claimed, going);
    expect(first).toMatchObject({ outcome: 'continued', key: '2.2', attempt: { itemJson: '2' } });
    expect(again).toMatchObject({ outcome: 'continued', key: '2.2', attempt: { itemJson: '2' } });
  });

  test('of a map item asked again goes on with its item also when the map has failed meanwhile', async () => {
    await worker.startMap('2', 4, { concurrency: 2 });
    const [one, two] = await Promise.all([worker.take('2.0', 'one'), worker.take('2.1', 'two')]);
    const going = { nextAttemptId: 'next', nextItemAttemptMs: 1000 };
    expect(await worker.commit('2.0', 'one', one, going)).toMatchObject({ outcome: 'continued', key: '2.2' });
    await worker.fail('2.1', { ...two, attemptId: 'two' });
    expect(await worker.commit('2.0', 'one', one, going)).toMatchObject({ outcome: 'continued', key: '2.2' });
  });

  test('of a fan of thousands counts every group down, and the run keeps all of it', async () => {
    const edges = Array.from({ length: 5000 }, (_, index) => edgeTo(index + 1));
    const claimed = await worker.take('0', 'one');
    expect(await worker.commit('0', 'one', claimed, { edges })).toEqual({ outcome: 'committed' });
    expect((await outboxLines()).filter((line) => line.startsWith('G|'))).toHaveLength(5000);
    expect((await connection.client.hgetall(runKey()))['g5000']).toBe(String(2 ** 17));
    const types = await connection.client.llen(stateKey(worker.tag, 'history', runId));
    expect(types).toBe(2 + 1 + 2 + 5000);
  });

  test('of an item whose map has settled ends the attempt once, however often it is asked', async () => {
    await worker.startMap('2', 2, { concurrency: 2 });
    const [one, two] = await Promise.all([worker.take('2.0', 'one'), worker.take('2.1', 'two')]);
    await worker.fail('2.0', { ...one, attemptId: 'one' });
    const refused = { outcome: 'rejected', reason: 'map-settled' };
    expect(await worker.commit('2.1', 'two', two)).toEqual(refused);
    const before = await historyOf(state, runId);
    expect(await worker.commit('2.1', 'two', two)).toEqual(refused);
    expect(await historyOf(state, runId)).toEqual(before);
    expect(before.filter((type) => type === 'attempt-cancelled')).toHaveLength(1);
  });
});

describe('parking an attempt', () => {
  const reason = 'breaker:payments';

  test('charges nothing, says why and for how long, and hands the step out again when that time has come', async () => {
    const claimed = await worker.take('0', 'one');
    const address = { ...worker.address('0'), ...claimed, attemptId: 'one' };
    expect(await state.transitions.parkAttempt(address, reason, 60_000)).toBe(true);
    // The answer was lost.
    expect(await state.transitions.parkAttempt(address, reason, 60_000)).toBe(true);
    expect(parseStepHeader(await headerOf('0'), 0)).toMatchObject({ state: 'P', reason, failures: 0 });
    const { events } = await state.readHistory(runId, { after: -1, limit: 100 });
    expect(events.slice(-2).map(({ type, data }) => ({ type, data }))).toEqual([
      { type: 'attempt-cancelled', data: { reason } },
      { type: 'step-parked', data: { reason, forMs: 60_000 } },
    ]);
    expect(await connection.client.zcard(stateKey(worker.tag, 'lease'))).toBe(0);
    await connection.client.del(stateKey(worker.tag, 'outbox'));
    await connection.client.zadd(stateKey(worker.tag, 'due'), 1, `p|0|${runId}`);
    await state.transitions.takeDue(worker.tag, 9);
    expect(await outboxLines()).toEqual(['S|0']);
    const next = await worker.take('0', 'two');
    // What it waited does not count against its retries.
    expect(next).toMatchObject({ failures: 0, crashes: 0, firstAt: next.claimedAt });
    expect(next.fence).toBeGreaterThan(claimed.fence);
  });

  test('leaves nothing parked in a run that is ending, nor of a map that has settled', async () => {
    await worker.startMap('2', 2);
    const item = await worker.take('2.0', 'item');
    await worker.fail('2.1', { ...(await worker.take('2.1', 'other')), attemptId: 'other' });
    const itemAddress = { ...worker.address('2.0'), ...item, attemptId: 'item' };
    expect(await state.transitions.parkAttempt(itemAddress, reason, 60_000)).toBe(false);
    const claimed = await worker.take('0', 'one');
    await state.transitions.cancelRun(worker.tag, runId, '{}');
    const address = { ...worker.address('0'), ...claimed, attemptId: 'one' };
    expect(await state.transitions.parkAttempt(address, reason, 60_000)).toBe(false);
    expect(await connection.client.zcard(stateKey(worker.tag, 'due'))).toBe(0);
    expect((await state.readRun(runId))!.status).toBe('cancelled');
  });

  test('is refused to an attempt that another has taken over', async () => {
    const claimed = await worker.take('0', 'one');
    const address = { ...worker.address('0'), ...claimed, attemptId: 'one' };
    await state.transitions.release(address, 'drain');
    await worker.take('0', 'two');
    expect(await state.transitions.parkAttempt(address, reason, 60_000)).toBe(false);
    expect(await headerOf('0')).toMatch(/^R\|/);
  });
});

describe('progress', () => {
  test('saved again leaves one event', async () => {
    const claimed = await worker.take('0', 'one');
    const attempt = { ...worker.address('0'), ...claimed, attemptId: 'one' };
    const checkpoint = { ts: claimed.createdAt + 5, seq: 1, checksum: 'sum', previous: '' };
    expect(await state.transitions.saveProgress(attempt, '{"at":"a|b"}', checkpoint)).toBe(true);
    expect(await state.transitions.saveProgress(attempt, '{"at":"a|b"}', checkpoint)).toBe(true);
    expect((await historyOf(state, runId)).filter((type) => type === 'checkpoint-saved')).toHaveLength(1);
    const { fence } = claimed;
    expect(await state.transitions.loadProgress(attempt)).toEqual({
      newest: { seq: 1, checksum: 'sum' },
      kept: [{ place: 1, checkpoint, fence, stateJson: '{"at":"a|b"}' }],
    });
  });

  test('keeps the last three, refuses what is not the next, and nothing of a superseded attempt', async () => {
    const claimed = await worker.take('0', 'one');
    const attempt = { ...worker.address('0'), ...claimed, attemptId: 'one' };
    const save = (seq: number, by = attempt) => {
      const checkpoint = { ts: claimed.createdAt + seq, seq, checksum: `sum-${seq}`, previous: '' };
      return state.transitions.saveProgress(by, String(seq), checkpoint);
    };
    for (const seq of [1, 2, 3, 4, 5]) expect(await save(seq)).toBe(true);
    expect([await save(7), await save(4), await save(6, { ...attempt, attemptId: 'other' })]).toEqual([
      false,
      false,
      false,
    ]);
    const { newest, kept } = await state.transitions.loadProgress(attempt);
    expect([newest?.seq, kept.map(({ stateJson }) => stateJson)]).toEqual([5, ['3', '4', '5']]);
  });

  test('that is set aside gives way to what is said to be the newest, and the history says so', async () => {
    const claimed = await worker.take('0', 'one');
    const attempt = { ...worker.address('0'), ...claimed, attemptId: 'one' };
    for (const seq of [1, 2]) {
      const checkpoint = { ts: claimed.createdAt, seq, checksum: `sum-${seq}`, previous: '' };
      await state.transitions.saveProgress(attempt, String(seq), checkpoint);
    }
    const setAside = (by = attempt) =>
      state.transitions.setAsideProgress(by, { seq: 1, checksum: 'sum-1' }, [2], '{"usedInstead":1}');
    expect(await setAside({ ...attempt, attemptId: 'other' })).toBe(false);
    expect(await setAside()).toBe(true);
    const { newest, kept } = await state.transitions.loadProgress(attempt);
    expect([newest?.seq, kept.map(({ stateJson }) => stateJson)]).toEqual([1, ['1']]);
    expect((await historyOf(state, runId)).at(-1)).toBe('checkpoint-corrupt');
  });
});

describe('a map under a budget of steps', () => {
  test('starts within it and is refused beyond it', async () => {
    expect(await worker.startMap('2', 3, { maxSteps: 4 })).toBe('started');
    expect(await worker.startMap('5', 1, { maxSteps: 4 })).toBe('budget');
    expect((await state.readRun(runId))?.status).toBe('running');
  });
});

describe('a run that has ended', () => {
  test('is not touched by a time limit that falls due late, nor by a late report', async () => {
    await state.cancelRun(runId, 'enough');
    const before = await connection.client.hgetall(runKey());
    const history = await historyOf(state, runId);
    for (const from of [STATES.unclaimed + STEP.delaying, STATES.unclaimed, NO_HEADER + STATES.unsettled]) {
      expect(await worker.fail('0', { from })).toEqual({ outcome: 'rejected', reason: 'ended' });
    }
    await state.transitions.reportCorruption(worker.address('0'), '{}');
    expect(await connection.client.hgetall(runKey())).toEqual(before);
    expect(await historyOf(state, runId)).toEqual(history);
    expect(history.filter((type) => type === 'run-cancelled')).toHaveLength(1);
  });

  test('tells of its cancellation, not of a failure that it had gone on after', async () => {
    await worker.fail('0', { from: STATES.unclaimed + STEP.delaying });
    await state.cancelRun(runId, 'enough');
    expect((await state.readRun(runId))?.error).toMatchObject({ code: 'CANCELLED', message: 'enough' });
  });
});

describe('renewing a lease', () => {
  const renew = async (name: string) => (await state.transitions.renew(worker.tag, name, 0)).hadEnded;

  test('tells whether it had run out before, however late the renewal came', async () => {
    expect(await renew('late')).toBe(true);
    expect(await renew('late')).toBe(false);
    await connection.client.zadd(stateKey(worker.tag, 'workers'), 1, 'late');
    expect(await renew('late')).toBe(true);
    expect(await renew('late')).toBe(false);
    await state.transitions.leave(worker.tag, 'late');
    expect(await renew('late')).toBe(true);
  });
});

describe('taking back the attempts of dead workers', () => {
  const settings = { limit: 100, pauseMs: 60_000, suspensionMs: 0, crashLimit: 3 };

  async function expireLease(): Promise<void> {
    await connection.client.zadd(stateKey(worker.tag, 'lease'), 1, `${runId}|0`);
  }

  test('is put off when nobody looked for a while: living workers renew first', async () => {
    await worker.take('0', 'one');
    await expireLease();
    const patient = { ...settings, pauseMs: 2000, suspensionMs: 60_000 };
    expect(await state.transitions.reclaim(worker.tag, patient)).toMatchObject({ suspended: true, lost: 0 });
    expect(await state.transitions.reclaim(worker.tag, patient)).toMatchObject({ suspended: true, lost: 0 });
    await state.transitions.renew(worker.tag, 'worker-1', 0);
    // The time of suspension is over.
    await connection.client.hset(stateKey(worker.tag, 'reclaim'), 'until', '1');
    expect(await state.transitions.reclaim(worker.tag, patient)).toMatchObject({ suspended: false, lost: 0 });
    expect(await headerOf('0')).toMatch(/^R/);
  });

  test('makes the step ready again without charging it, and refuses what its worker still brings', async () => {
    const claimed = await worker.take('0', 'one');
    await expireLease();
    expect(await state.transitions.reclaim(worker.tag, settings)).toEqual({
      lost: 1,
      suspended: false,
      lookedAt: 1,
      undecided: [],
    });
    expect(await worker.commit('0', 'one', claimed)).toEqual({ outcome: 'rejected', reason: 'superseded' });
    const again = await worker.take('0', 'two');
    expect(again).toMatchObject({ failures: 0, crashes: 1, firstAt: claimed.claimedAt });
    expect(again.fence).toBeGreaterThan(claimed.fence);
    expect(await historyOf(state, runId)).toEqual([
      'run-created',
      'step-ready',
      'attempt-started',
      'attempt-lost',
      'attempt-rejected',
      'attempt-started',
    ]);
  });

  test('counts the loss that ends a step, or falls into the end of its run, like those before', async () => {
    const claimed = await worker.take('0', 'one');
    await worker.fail('0', { ...claimed, attemptId: 'one' }, { event: 'attempt-lost', quarantine: true });
    expect(await headerOf('0')).toMatch(/^Q\|0\|1\|/);
    const other = await worker.take('2', 'two');
    await state.cancelRun(runId, 'enough');
    await worker.fail('2', { ...other, attemptId: 'two' }, { event: 'attempt-lost', quarantine: true });
    expect(await headerOf('2')).toMatch(/^X\|0\|1\|/);
  });

  test('finds the step that a chain has come to', async () => {
    const claimed = await worker.take('0', 'one');
    const next = { key: '1', attemptMs: 1000 };
    await worker.commit('0', 'one', claimed, { nextAttemptId: 'next', edges: [edgeTo(1, next)] });
    await expireLease();
    expect(await state.transitions.reclaim(worker.tag, settings)).toMatchObject({ lost: 1 });
    expect(await headerOf('1')).toMatch(/^Y\|0\|1/);
    expect(await connection.client.hexists(runKey(), 'c0')).toBe(0);
    expect(await connection.client.zcard(stateKey(worker.tag, 'lease'))).toBe(0);
  });

  test('leaves to the plan what has crashed too often, and what a living worker does not end', async () => {
    await worker.take('0', 'one', { attemptMs: -3_600_000 });
    await state.transitions.renew(worker.tag, 'worker-1', 0);
    await expireLease();
    const overdue = await state.transitions.reclaim(worker.tag, settings);
    expect(overdue.undecided).toMatchObject([{ why: 'overdue', key: '0', runId, attemptId: 'one' }]);
    await state.transitions.leave(worker.tag, 'worker-1');
    await expireLease();
    const crashed = await state.transitions.reclaim(worker.tag, { ...settings, crashLimit: 0 });
    expect(crashed.undecided).toMatchObject([{ why: 'crashes', key: '0', runId, attemptId: 'one' }]);
    expect(await headerOf('0')).toMatch(/^R/);
  });
});

describe('what is due', () => {
  const timer = (letter: DueLetter, key: string, inMs: number) => ({ letter, key, runId, inMs });

  test('comes in portions, and is out of sight while it is being handled', async () => {
    const hints = Array.from({ length: 7 }, (_, index) => timer(DUE.hint, String(index), index - 1000));
    await state.transitions.dispatched(worker.tag, [], [...hints, timer(DUE.runLimit, '', 3_600_000)]);
    const first = await state.transitions.takeDue(worker.tag, 5);
    expect(first.taken.map(({ letter, key }) => letter + key)).toEqual(['q0', 'q1', 'q2', 'q3', 'q4']);
    const second = await state.transitions.takeDue(worker.tag, 5);
    expect(second.taken.map(({ key }) => key)).toEqual(['5', '6']);
    expect((await state.transitions.takeDue(worker.tag, 5)).taken).toEqual([]);
    // Those that were taken first come again 3 s after that, if nobody ends them.
    expect(second.nextInMs).toBeGreaterThan(0);
    expect(second.nextInMs).toBeLessThanOrEqual(3000);
  });

  test('is not set again while it runs', async () => {
    await state.transitions.dispatched(worker.tag, [], [timer(DUE.hint, '0', 60_000)]);
    const due = stateKey(worker.tag, 'due');
    const before = await connection.client.zscore(due, `q|0|${runId}`);
    await state.transitions.dispatched(worker.tag, [], [timer(DUE.hint, '0', 90_000)]);
    expect(await connection.client.zscore(due, `q|0|${runId}`)).toBe(before);
  });

  test('as a limit on waiting is not set for a step that has begun', async () => {
    await worker.take('0', 'one');
    await state.transitions.dispatched(
      worker.tag,
      [],
      [timer(DUE.queuedLimit, '0', 60_000), timer(DUE.totalLimit, '0', 60_000)],
    );
    const members = await connection.client.zrange(stateKey(worker.tag, 'due'), '0', '-1');
    expect(members).toEqual([`t|0|${runId}`]);
  });
});

describe('pausing', () => {
  test.each([
    ['held steps are text', () => connection.client.set(stateKey(worker.tag, 'paused', runId), 'not what it was')],
    ['definition is gone', () => connection.client.hdel(runKey(), 'd')],
  ])('a run whose %s is not resumed, and nothing of it changes', async (_what, damage) => {
    await state.pauseRun(runId);
    await damage();
    const stored = () =>
      Promise.all([
        connection.client.hgetall(runKey()),
        connection.client.lrange(stateKey(worker.tag, 'history', runId), 0, -1),
      ]);
    const before = await stored();
    await expect(state.resumeRun(runId)).rejects.toThrow();
    expect(await stored()).toEqual(before);
  });

  test('holds claims back and hands them out on resuming; what runs may end', async () => {
    const claimed = await worker.take('0', 'one');
    await state.pauseRun(runId);
    const going = { nextAttemptId: 'next', edges: [edgeTo(1, { key: '1', attemptMs: 1000 })] };
    expect(await worker.commit('0', 'one', claimed, going)).toEqual({ outcome: 'committed' });
    expect(await worker.claim('1', 'two', { group: 1, initial: 1 })).toEqual({ refused: 'paused' });
    const before = await outboxLines();
    await state.resumeRun(runId);
    expect((await outboxLines()).slice(before.length)).toEqual(['S|1']);
    await expect(state.pauseRun('00-nobody')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await state.cancelRun(runId);
    await expect(state.resumeRun(runId)).rejects.toMatchObject({ code: 'RUN_NOT_ACTIVE' });
  });
});
