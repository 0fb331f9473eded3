import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlanShape } from './plan-shape.ts';
import { MAX_PAGE_BYTES } from './read-steps.ts';
import type { State } from './state.ts';
import { hashOf, shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';

const plan = shapeOf('steps', [
  { id: 'a' },
  { id: 'b', kind: 'map', needs: [0] },
  { id: 'c', needs: [1] },
  { id: 'd', kind: 'map' },
  { id: 'e', needs: [2, 3] },
]);

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

async function allPages(limit: number): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await state.listSteps(runId, { limit, cursor });
    expect(page.steps.length).toBeLessThanOrEqual(limit);
    ids.push(...page.steps.map(({ stepId }) => stepId));
    cursor = page.cursor;
    pages += 1;
  } while (cursor !== undefined && pages < 100);
  return ids;
}

const items = (id: string, count: number) => Array.from({ length: count }, (_, item) => `${id}[${item}]`);

describe('the list of steps', () => {
  test.each([1, 2, 3, 4, 5, 7, 100])('has the items of maps behind their map, in pages of %p', async (limit) => {
    await worker.startMap('1', 5, { concurrency: 4 });
    await worker.startMap('3', 3, { concurrency: 3 });
    expect(await allPages(limit)).toEqual(['a', 'b', ...items('b', 4), 'c', 'd', ...items('d', 3), 'e']);
  });

  test('ends a page early when what is in it is large, and goes on behind it', async () => {
    await worker.startMap('1', 60, { concurrency: 60 });
    // Half a megabyte each, in place of what an attempt would commit.
    const large = JSON.stringify({ code: 'LARGE', message: 'x'.repeat(500_000), type: 'non_retryable' });
    for (let item = 0; item < 60; item += 1) {
      const key = `1.${item}`;
      const claimed = await worker.take(key, `attempt-${item}`);
      await worker.fail(key, { ...claimed, attemptId: `attempt-${item}` }, { errorJson: large, retryInMs: 60_000 });
    }
    const pages: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await state.listSteps(runId, { limit: 500, cursor });
      expect(JSON.stringify(page).length).toBeLessThan(MAX_PAGE_BYTES + 25 * 600_000);
      pages.push(page.steps.length);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(pages.length).toBeGreaterThan(2);
    expect(pages.reduce((sum, count) => sum + count, 0)).toBe(65);
  }, 60_000);

  test('has no items of a map that has not begun, and ends with a map', async () => {
    expect(await allPages(2)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const last = shapeOf('last', [{ id: 'a' }, { id: 'b', kind: 'map' }]);
    const other = createTestState(connection.client, testNamespace(import.meta.url), [last]);
    ({ runId } = await other.createRun(requestOf(last)));
    state = other;
    await new TestWorker(other, runId).startMap('1', 2, { concurrency: 2 });
    for (const limit of [1, 2, 3, 4, 9]) expect(await allPages(limit)).toEqual(['a', 'b', 'b[0]', 'b[1]']);
  });

  test('tells the state of each step and item', async () => {
    const claimed = await worker.take('0', 'one');
    await worker.startMap('1', 2, { concurrency: 2 });
    await worker.take('1.1', 'item');
    await state.transitions.park(worker.address('2'), undefined, 'no-handler', 60_000);
    await worker.fail('0', { ...claimed, attemptId: 'one' }, { retryInMs: 60_000 });
    const { steps } = await state.listSteps(runId, { limit: 10 });
    expect(steps.slice(0, 5)).toMatchObject([
      {
        stepId: 'a',
        status: 'backing-off',
        attempts: 1,
        error: { code: 'STEP_FAILED' },
        nextAttemptAt: expect.any(Number),
      },
      { stepId: 'b', status: 'running', attempts: 0, needs: ['a'] },
      { stepId: 'b[0]', status: 'ready', attempts: 0 },
      { stepId: 'b[1]', status: 'running', attempts: 1, worker: 'worker-1' },
      { stepId: 'c', status: 'parked', reason: 'no-handler', needs: ['b'] },
    ]);
  });

  test('of a map that failed still has its items, and which of them it was', async () => {
    await worker.startMap('1', 5, { concurrency: 3 });
    const [bad, late] = await Promise.all([worker.take('1.0', 'bad'), worker.take('1.1', 'late')]);
    await worker.fail('1.0', { ...bad, attemptId: 'bad' });
    expect(await allPages(2)).toEqual(['a', 'b', ...items('b', 3), 'c', 'd', 'e']);
    const { steps } = await state.listSteps(runId, { limit: 10 });
    expect(steps.slice(1, 5)).toMatchObject([
      { stepId: 'b', status: 'failed', error: { code: 'STEP_FAILED' } },
      { stepId: 'b[0]', status: 'failed', error: { code: 'STEP_FAILED' } },
      { stepId: 'b[1]', status: 'running' },
      { stepId: 'b[2]', status: 'cancelled', reason: 'map-settled' },
    ]);
    await worker.fail('1.1', { ...late, attemptId: 'late' }, { retryInMs: 60_000 });
    const after = await state.listSteps(runId, { limit: 10 });
    expect(after.steps[3]).toMatchObject({ stepId: 'b[1]', status: 'cancelled' });
  });

  test('of an ended run has nothing that still waits', async () => {
    await worker.startMap('1', 2, { concurrency: 2 });
    await state.cancelRun(runId);
    const { steps } = await state.listSteps(runId, { limit: 10 });
    expect(new Set(steps.map(({ status }) => status))).toEqual(new Set(['cancelled']));
  });

  test('of a run that is ending tells what still runs from what will not', async () => {
    await worker.take('0', 'one');
    await state.cancelRun(runId);
    const { steps } = await state.listSteps(runId, { limit: 10 });
    expect(steps.map(({ status }) => status)).toEqual(['running', 'cancelled', 'cancelled', 'cancelled', 'cancelled']);
  });

  test.each(['x', '1', '1.x', '-1.', '1.2.3', ''])('refuses %p as a cursor', async (cursor) => {
    await expect(state.listSteps(runId, { limit: 5, cursor })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  test('names the handler and the queue that a step needs', async () => {
    const work = { use: 'agent:pricing', capability: 'pricing', queue: 'cap.pricing' };
    const definition = { ...plan.definition, name: 'working' };
    const working = {
      ...plan,
      definition,
      hash: hashOf(definition),
      steps: plan.steps.map((step) => ({ ...step, work })),
    };
    const other = createTestState(connection.client, testNamespace(import.meta.url), [working]);
    ({ runId } = await other.createRun(requestOf(working)));
    expect((await other.listSteps(runId, { limit: 1 })).steps).toEqual([
      { stepId: 'a', kind: 'task', status: 'waiting', attempts: 0, ...work },
    ]);
  });

  test('of no run is RUN_NOT_FOUND', async () => {
    await expect(state.listSteps('00-nobody', { limit: 5 })).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
