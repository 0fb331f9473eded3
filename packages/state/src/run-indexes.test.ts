import { createHash } from 'node:crypto';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { deploymentKeys, stateKey } from './keys.ts';
import type { RunQuery } from './list-runs.ts';
import type { PlanShape } from './plan-shape.ts';
import { createAttemptId } from './run-id.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, edgeTo, requestOf, TestWorker } from './testing/state-for-tests.ts';

const orders = shapeOf('orders', [{ id: 'pay' }, { id: 'ship' }]);
const letters = shapeOf('letters', [{ id: 'write' }]);
const FAR_MS = 3_600_000;

let connection: RedisConnection;
let state: State<PlanShape>;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [orders, letters]);
});
afterAll(() => closeConnection(connection));

async function start(plan: PlanShape = letters, tags: readonly string[] = []) {
  const { runId } = await state.createRun(requestOf(plan, { tags }));
  return { runId, worker: new TestWorker(state, runId) };
}

const listed = async (query: Partial<RunQuery>) =>
  (await state.listRuns({ limit: 500, ...query })).runs.map(({ runId }) => runId).sort();
const counts = (filter: Parameters<typeof state.countRuns>[0] = {}) => state.countRuns(filter);
const waitingOf = async (runId: string) => (await state.readRun(runId))?.waiting;

describe('a list of runs', () => {
  test('has those of a status, workflow and tag, and of all three together', async () => {
    const both = await start(orders, ['red', 'blue']);
    const red = await start(letters, ['red']);
    const plain = await start(letters);
    await red.worker.take('0', 'a1');
    expect(await listed({ status: 'pending' })).toEqual([both.runId, plain.runId].sort());
    expect(await listed({ status: 'running' })).toEqual([red.runId]);
    expect(await listed({ tag: 'red' })).toEqual([both.runId, red.runId].sort());
    expect(await listed({ tag: 'red', workflow: 'orders' })).toEqual([both.runId]);
    expect(await listed({ tag: 'red', workflow: 'orders', status: 'pending' })).toEqual([both.runId]);
    expect(await listed({ tag: 'red', workflow: 'orders', status: 'running' })).toEqual([]);
    expect(await listed({ tag: 'blue', status: 'pending' })).toEqual([both.runId]);
    expect(await listed({ tag: 'green' })).toEqual([]);
  });

  test('has only those created within a span of time', async () => {
    const { runId } = await start();
    const { createdAt } = (await state.readRun(runId))!;
    expect(await listed({ from: createdAt, to: createdAt })).toEqual([runId]);
    expect(await listed({ from: createdAt + 1 })).toEqual([]);
    expect(await listed({ to: createdAt - 1 })).toEqual([]);
    expect((await counts({ from: createdAt + 1 })).status).toEqual({});
    expect((await counts({ from: createdAt })).status).toEqual({ pending: 1 });
  });

  test('is counted by status, and the counts follow workflow and tag', async () => {
    await start(orders, ['red']);
    await start(letters, ['red']);
    const done = await start(letters);
    await done.worker.commit('0', 'a1', await done.worker.take('0', 'a1'), {
      endStep: true,
    });
    expect(await counts()).toEqual({ status: { pending: 2, succeeded: 1 }, waiting: { queued: 2 } });
    expect(await counts({ workflow: 'letters' })).toEqual({
      status: { pending: 1, succeeded: 1 },
      waiting: { queued: 1 },
    });
    expect(await counts({ workflow: 'letters', tag: 'red' })).toEqual({
      status: { pending: 1 },
      waiting: { queued: 1 },
    });
  });

  test('forgets a run that is pruned', async () => {
    const { runId, worker } = await start(letters, ['red']);
    await worker.commit('0', 'a1', await worker.take('0', 'a1'));
    expect(await listed({ status: 'succeeded', tag: 'red' })).toEqual([runId]);
    await state.transitions.pruneRun(worker.tag, runId);
    expect(await listed({ status: 'succeeded', tag: 'red' })).toEqual([]);
    expect(await counts()).toEqual({ status: {}, waiting: {} });
  });
});

describe('what a run waits for', () => {
  test('is a worker until one takes it, and again when nothing of it is under way', async () => {
    const { runId, worker } = await start(orders);
    expect(await listed({ waiting: 'queued' })).toEqual([runId]);
    expect(await waitingOf(runId)).toEqual([{ reason: 'queued' }]);
    const claimed = await worker.take('0', 'a1');
    expect(await listed({ waiting: 'queued' })).toEqual([]);
    expect(await waitingOf(runId)).toBeUndefined();
    await worker.commit('0', 'a1', claimed, { endStep: false, edges: [edgeTo(1)] });
    expect(await listed({ waiting: 'queued' })).toEqual([runId]);
    expect((await counts()).waiting).toEqual({ queued: 1 });
  });

  test('is the time of the next attempt after a failure', async () => {
    const { runId, worker } = await start();
    const claimed = await worker.take('0', 'a1');
    await worker.fail('0', { ...claimed, attemptId: 'a1' }, { retryInMs: FAR_MS });
    expect(await listed({ waiting: 'backing-off' })).toEqual([runId]);
    expect(await listed({ waiting: 'queued' })).toEqual([]);
    expect(await waitingOf(runId)).toEqual([{ reason: 'backing-off', steps: 1 }]);
    await connection.client.zadd(stateKey(worker.tag, 'due'), 'XX', 1, `b|0|${runId}`);
    await state.transitions.takeDue(worker.tag, 10);
    expect(await listed({ waiting: 'backing-off' })).toEqual([]);
    expect(await listed({ waiting: 'queued' })).toEqual([runId]);
  });

  test('is a breaker by its name, and one of all breakers', async () => {
    const { runId, worker } = await start(orders);
    await state.transitions.park(worker.address('0'), undefined, 'breaker:payments', FAR_MS);
    await state.transitions.park(worker.address('1'), undefined, 'breaker:payments', FAR_MS);
    const other = await start();
    await state.transitions.park(other.worker.address('0'), undefined, 'no-handler', FAR_MS);
    expect(await listed({ waiting: 'breaker:payments' })).toEqual([runId]);
    expect(await listed({ waiting: 'breaker' })).toEqual([runId]);
    expect(await listed({ waiting: 'breaker:other' })).toEqual([]);
    expect(await listed({ waiting: 'no-handler' })).toEqual([other.runId]);
    expect(await waitingOf(runId)).toEqual([{ reason: 'breaker', subject: 'payments', steps: 2 }]);
    expect((await counts()).waiting).toEqual({ breaker: 1, 'breaker:payments': 1, 'no-handler': 1 });
    expect((await counts({ workflow: 'letters' })).waiting).toEqual({ 'no-handler': 1 });
    // One of two steps goes on: the other still waits.
    await worker.take('0', 'a1');
    expect(await listed({ waiting: 'breaker:payments' })).toEqual([runId]);
    await worker.take('1', 'a2');
    expect(await listed({ waiting: 'breaker:payments' })).toEqual([]);
    expect(await listed({ waiting: 'breaker' })).toEqual([]);
  });

  test('is another reason when the step is parked for another', async () => {
    const { runId, worker } = await start();
    await state.transitions.park(worker.address('0'), undefined, 'no-handler', FAR_MS);
    await state.transitions.park(worker.address('0'), undefined, 'storage', FAR_MS);
    expect(await listed({ waiting: 'no-handler' })).toEqual([]);
    expect(await listed({ waiting: 'storage' })).toEqual([runId]);
  });

  test('is a delay', async () => {
    const { runId, worker } = await start();
    await state.transitions.startDelay(worker.address('0'), FAR_MS);
    expect(await listed({ waiting: 'delay' })).toEqual([runId]);
    expect(await listed({ status: 'running' })).toEqual([runId]);
  });

  test('is its resumption while it is paused', async () => {
    const { runId } = await start();
    await state.pauseRun(runId);
    expect(await listed({ waiting: 'paused' })).toEqual([runId]);
    expect(await listed({ waiting: 'queued' })).toEqual([]);
    expect((await counts()).waiting).toEqual({ paused: 1 });
    await state.resumeRun(runId);
    expect(await listed({ waiting: 'paused' })).toEqual([]);
    expect(await listed({ waiting: 'queued' })).toEqual([runId]);
  });

  test('is nothing once it has ended, whatever its steps were waiting for', async () => {
    const { runId, worker } = await start(orders);
    await state.transitions.park(worker.address('0'), undefined, 'breaker:payments', FAR_MS);
    await state.transitions.startDelay(worker.address('1'), FAR_MS);
    await state.cancelRun(runId);
    expect(await counts()).toEqual({ status: { cancelled: 1 }, waiting: {} });
    expect(await waitingOf(runId)).toBeUndefined();
  });
});

describe('an id', () => {
  test('of a run, of an attempt or an idempotency key finds the run', async () => {
    const idempotencyKey = 'order 4711 / "again"';
    const { runId } = await state.createRun(requestOf(letters, { idempotencyKey }));
    const found = async (id: string) => (await state.findRuns(id)).map((run) => run.runId);
    expect(await found(runId)).toEqual([runId]);
    expect(await found(createAttemptId(runId))).toEqual([runId]);
    expect(await found(idempotencyKey)).toEqual([runId]);
    expect(await found('nobody')).toEqual([]);
    expect(await found(createAttemptId('00-another'))).toEqual([]);
    expect(await found('../|{}*')).toEqual([]);
  });

  test('finds nothing any more once the run is pruned', async () => {
    const { runId, worker } = await start();
    await worker.commit('0', 'a1', await worker.take('0', 'a1'));
    await state.transitions.pruneRun(worker.tag, runId);
    expect(await state.findRuns(runId)).toEqual([]);
    expect(await state.findRuns(createAttemptId(runId))).toEqual([]);
  });
});

describe('a group of errors', () => {
  const errorJson = (message: string, code = 'DECLINED') => JSON.stringify({ type: 'retryable', code, message });

  async function failOnce(message: string, { handler = 'pay', code = 'DECLINED' } = {}) {
    const { runId, worker } = await start();
    const claimed = await worker.take('0', 'a1');
    await worker.fail('0', { ...claimed, attemptId: 'a1' }, { errorJson: errorJson(message, code), handler });
    return runId;
  }

  test('has the failures that differ only in what varies, with their runs', async () => {
    const first = await failOnce('card 4711 was declined');
    const second = await failOnce('card 4712 was declined');
    const other = await failOnce('card 4712 was declined', { code: 'LIMIT' });
    const { errors } = await state.listErrorGroups({ limit: 50 });
    expect(errors).toHaveLength(2);
    const declined = errors.find(({ code }) => code === 'DECLINED')!;
    const fingerprint = createHash('sha1').update('pay\nDECLINED\ncard … was declined').digest('hex').slice(0, 16);
    expect(declined).toMatchObject({
      ...{ fingerprint, type: 'retryable', handler: 'pay', message: 'card … was declined' },
      ...{ count: 2, runs: 2, state: 'open' },
    });
    expect([first, second]).toContain(declined.exampleRunId);
    expect(declined.firstSeenAt).toBeLessThanOrEqual(declined.lastSeenAt);
    expect(await listed({ error: fingerprint })).toEqual([first, second].sort());
    expect(await listed({ error: errors.find(({ code }) => code === 'LIMIT')!.fingerprint })).toEqual([other]);
    expect(await listed({ error: fingerprint, status: 'failed' })).toEqual([first, second].sort());
    expect(await listed({ error: fingerprint, status: 'running' })).toEqual([]);
  });

  test('counts a repeated call once, and each failed attempt', async () => {
    const { runId, worker } = await start();
    for (const attemptId of ['a1', 'a2']) {
      const claimed = await worker.take('0', attemptId);
      const attempt = { ...claimed, attemptId };
      const failure = { errorJson: errorJson('no'), handler: 'pay', retryInMs: FAR_MS };
      await worker.fail('0', attempt, failure);
      await worker.fail('0', attempt, failure);
      await connection.client.zadd(stateKey(worker.tag, 'due'), 'XX', 1, `b|0|${runId}`);
      await state.transitions.takeDue(worker.tag, 10);
    }
    const { errors } = await state.listErrorGroups({ limit: 50 });
    expect(errors).toMatchObject([{ count: 2, runs: 1 }]);
  });

  test('is back when it occurs after it was resolved, and stays ignored when it was ignored', async () => {
    await failOnce('no');
    const fingerprint = (await state.listErrorGroups({ limit: 50 })).errors[0]?.fingerprint ?? '';
    const resolved = await state.decideErrorGroup(fingerprint, 'resolve');
    expect(resolved.state).toBe('resolved');
    // As if it had been long ago: the clock of Redis may not have moved since.
    const before = `resolved|${(resolved.stateSince ?? 0) - 1000}`;
    await connection.client.hset(deploymentKeys(state.namespace).errorStates, fingerprint, before);
    await failOnce('no');
    expect((await state.listErrorGroups({ limit: 50 })).errors).toMatchObject([{ state: 'back', count: 2 }]);
    expect((await state.listErrorGroups({ limit: 50, state: 'open' })).errors).toEqual([]);
    expect((await state.listErrorGroups({ limit: 50, state: 'back' })).errors).toHaveLength(1);
    await state.decideErrorGroup(fingerprint, 'ignore');
    await failOnce('no');
    expect((await state.listErrorGroups({ limit: 50 })).errors).toMatchObject([{ state: 'ignored', count: 3 }]);
    await state.decideErrorGroup(fingerprint, 'reopen');
    expect((await state.listErrorGroups({ limit: 50 })).errors).toMatchObject([{ state: 'open' }]);
  });

  test('that nobody knows cannot be decided about', async () => {
    await expect(state.decideErrorGroup('0123456789abcdef', 'resolve')).rejects.toMatchObject({
      code: 'ERROR_GROUP_NOT_FOUND',
    });
  });

  test('goes with its last run', async () => {
    const runId = await failOnce('no');
    await state.transitions.pruneRun(state.tagOf(runId), runId);
    expect(await state.listErrorGroups({ limit: 50 })).toEqual({ errors: [] });
    expect(await connection.client.keys(`*${state.namespace}*:e:*`)).toEqual([]);
  });

  test('is listed by page, the one seen last first', async () => {
    for (const code of ['A', 'B', 'C', 'D', 'E']) await failOnce('no', { code });
    const whole = (await state.listErrorGroups({ limit: 50 })).errors.map(({ fingerprint }) => fingerprint);
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await state.listErrorGroups({ limit: 2, cursor });
      paged.push(...page.errors.map(({ fingerprint }) => fingerprint));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(paged).toEqual(whole);
    expect(new Set(paged).size).toBe(5);
  });

  test('makes room for others when a partition has five hundred', async () => {
    const { runId, worker } = await start();
    const tag = worker.tag;
    for (let number = 0; number < 500; number += 1) {
      const fingerprint = number.toString(16).padStart(16, '0');
      await connection.client.zadd(stateKey(tag, 'errors'), number + 1, fingerprint);
      await connection.client.hset(stateKey(tag, 'errorGroup', fingerprint), 'count', 1);
    }
    await worker.fail('0', { ...(await worker.take('0', 'a1')), attemptId: 'a1' }, { handler: 'pay' });
    expect(await connection.client.zcard(stateKey(tag, 'errors'))).toBe(500);
    expect(await connection.client.exists(stateKey(tag, 'errorGroup', '0'.repeat(16)))).toBe(0);
    expect((await state.listErrorGroups({ limit: 1 })).errors).toMatchObject([{ handler: 'pay', exampleRunId: runId }]);
  });
});

describe('tidying', () => {
  const all = { before: Number.MAX_SAFE_INTEGER, maxKept: 1000, limit: 100 };

  test('forgets old changes and those beyond the bound, and reasons that nothing waits for', async () => {
    const { runId, worker } = await start();
    const { tag } = worker;
    await state.transitions.park(worker.address('0'), undefined, 'breaker:payments', FAR_MS);
    const changed = stateKey(tag, 'changed');
    expect(await connection.client.zcard(changed)).toBe(1);
    await state.transitions.tidyIndexes(tag, { ...all, before: 1 });
    expect(await connection.client.zcard(changed)).toBe(1);
    expect((await connection.client.smembers(stateKey(tag, 'waits'))).sort()).toEqual(['breaker', 'breaker:payments']);
    await state.cancelRun(runId);
    await connection.client.zadd(changed, 1, 'a', 2, 'b', 3, 'c');
    expect(await state.transitions.tidyIndexes(tag, { ...all, before: 1, maxKept: 2 })).toBe(2);
    expect(await connection.client.zcard(changed)).toBe(2);
    expect(await connection.client.smembers(stateKey(tag, 'waits'))).toEqual([]);
    await state.transitions.tidyIndexes(tag, all);
    expect(await connection.client.exists(changed)).toBe(0);
  });
});
