import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf } from './testing/state-for-tests.ts';

const plan = shapeOf('pruned', [{ id: 'only' }]);

let connection: RedisConnection;
let state: State<PlanShape>;
let tag: string;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [plan], { partitions: 1 });
  tag = state.tags[0]!;
});
afterAll(() => closeConnection(connection));

async function keysLeft(): Promise<string[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, page] = await connection.client.scan(cursor, 'MATCH', `{${state.namespace}:*`, 'COUNT', 1000);
    keys.push(...page.map((key) => key.slice(tag.length)));
    cursor = next;
  } while (cursor !== '0');
  return keys.sort();
}

describe('pruning', () => {
  test('leaves a key that still answers: it names the run that is gone, and makes none', async () => {
    const request = requestOf(plan, { idempotencyKey: 'order-1' });
    const { runId } = await state.createRun(request);
    await state.cancelRun(runId);
    expect(await state.transitions.pruneRun(tag, runId)).toBe(true);
    const again = state.createRun(request);
    await expect(again).rejects.toMatchObject({ code: 'RUN_PRUNED', message: expect.stringContaining(runId) });
    const [other] = await state.createRuns([request]);
    expect(other).toMatchObject({ code: 'RUN_PRUNED' });
    expect((await state.listRuns({ limit: 10 })).runs).toEqual([]);
  });

  test('is refused while a run has not ended', async () => {
    const { runId } = await state.createRun(requestOf(plan));
    expect(await state.transitions.pruneRun(tag, runId)).toBe(false);
    expect((await state.readRun(runId))?.status).toBe('pending');
  });

  test('keeps a definition until the last run that is pinned to it is gone', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => state.createRun(requestOf(plan))));
    const definition = stateKey(tag, 'definition', plan.hash);
    const left: (string | null)[] = [];
    for (const { runId } of runs) {
      await state.cancelRun(runId);
      expect(await state.transitions.pruneRun(tag, runId)).toBe(true);
      // Asked again it takes nothing more away.
      expect(await state.transitions.pruneRun(tag, runId)).toBe(true);
      left.push(await connection.client.hget(definition, 'runs'));
    }
    expect(left).toEqual(['2', '1', null]);
  });

  test('has the channels of the run removed first, and those of the deployment left alone', async () => {
    const { runId } = await state.createRun(requestOf(plan));
    const own = `${runId}~talk`;
    for (const [key, subject] of [
      ['0', own],
      ['1', 'orders'],
      ['2', own],
    ] as const) {
      const address = { tag, runId, key, opening: 1 };
      await state.transitions.startWait(address, { kind: 'receive', subject, timeoutMs: undefined });
    }
    await state.cancelRun(runId);
    const removed: string[][] = [];
    const died = state.transitions.pruneRun(tag, runId, () => Promise.reject(new Error('the scheduler died')));
    await expect(died).rejects.toThrow('died');
    const remove = async (names: readonly string[]) => void removed.push([...names]);
    expect(await state.transitions.pruneRun(tag, runId, remove)).toBe(true);
    expect(removed).toEqual([[own]]);
    expect(await state.readRun(runId)).toBeUndefined();
  });

  test('leaves nothing of a run behind', async () => {
    const { runId } = await state.createRun(requestOf(plan, { tags: ['red', 'größe'], idempotencyKey: 'order-1' }));
    await state.pauseRun(runId);
    await connection.client.sadd(stateKey(tag, 'paused', runId), '0');
    await state.cancelRun(runId);
    expect(await keysLeft()).toContain('t:größe');
    await state.transitions.pruneRun(tag, runId);
    const left = await keysLeft();
    // The outbox asks for a sweep of the run; the key answers for it until its time is over.
    expect(left.filter((key) => !key.startsWith('i:'))).toEqual(['out']);
    expect(await state.readRun(runId)).toBeUndefined();
    await expect(state.readHistory(runId, { after: -1, limit: 10 })).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(state.cancelRun(runId)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });

  test('lets a run be started anew under its id, by whoever gives no key', async () => {
    const request = requestOf(plan, { runId: '00-again' });
    await state.createRun(request);
    await state.cancelRun('00-again');
    await state.transitions.pruneRun(tag, '00-again');
    expect(await state.createRun(request)).toMatchObject({ runId: '00-again', deduplicated: false });
    expect((await state.readHistory('00-again', { after: -1, limit: 10 })).events).toHaveLength(2);
  });
});
