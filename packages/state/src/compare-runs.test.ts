import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';

const STEPS = 120;
const wide = shapeOf(
  'wide',
  Array.from({ length: STEPS }, (_, index) => ({ id: `s${index}` })),
);
const mapped = shapeOf('mapped', [{ id: 'each', kind: 'map' }]);
const other = shapeOf('other', [{ id: 'only' }]);

let connection: RedisConnection;
let state: State<PlanShape>;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [wide, mapped, other]);
});
afterAll(() => closeConnection(connection));

async function runOf(plan: PlanShape, outputs: ReadonlyMap<string, string>, inputJson = '{"n":1}'): Promise<string> {
  const { runId } = await state.createRun(requestOf(plan, { inputJson }));
  const worker = new TestWorker(state, runId);
  await Promise.all(
    Array.from(outputs, async ([key, outputJson]) => {
      const claimed = await worker.take(key, `a-${key}`);
      await worker.commit(key, `a-${key}`, claimed, { outputJson });
    }),
  );
  return runId;
}

const same = () => new Map(Array.from({ length: STEPS }, (_, index) => [String(index), `{"value":${index}}`]));
const mapRun = async (items: readonly string[]) => {
  const { runId } = await state.createRun(requestOf(mapped));
  const worker = new TestWorker(state, runId);
  await worker.startMap('0', items.length, { concurrency: items.length });
  for (const [item, outputJson] of items.entries()) {
    const claimed = await worker.take(`0.${item}`, `a-${item}`);
    await worker.commit(`0.${item}`, `a-${item}`, claimed, { outputJson });
  }
  return runId;
};

describe('two runs', () => {
  test('with the same results differ in nothing', async () => {
    const [one, another] = [await runOf(wide, same()), await runOf(wide, same())];
    expect(await state.compareRuns(one, another)).toEqual({
      ...{ runId: one, otherRunId: another, compared: STEPS, differing: 0 },
    });
  });

  test('differ first where one output was changed, wherever that is, and no payload is shown', async () => {
    const one = await runOf(wide, same());
    for (const changed of [0, 1, 49, 50, 51, 77, STEPS - 1]) {
      const another = await runOf(wide, same().set(String(changed), '{"secret":"canary"}'));
      const found = await state.compareRuns(one, another);
      expect(found).toMatchObject({
        differing: 1,
        firstDivergence: { stepId: `s${changed}`, what: 'output', other: { status: 'succeeded' } },
      });
      expect(found.firstDivergence?.run.hash).not.toBe(found.firstDivergence?.other.hash);
      expect(JSON.stringify(found)).not.toContain('canary');
    }
  });

  test('differ in their inputs before any step, and in their definitions before that', async () => {
    const one = await runOf(wide, same());
    const another = await runOf(wide, same().set('3', '4'), '{"n":2}');
    expect(await state.compareRuns(one, another)).toMatchObject({
      differing: 1,
      firstDivergence: { what: 'input' },
    });
    const third = await runOf(other, new Map());
    const { firstDivergence } = await state.compareRuns(one, third);
    expect(firstDivergence).toMatchObject({ what: 'definition' });
    expect(firstDivergence).not.toHaveProperty('stepId');
  });

  test('differ in how a step settled, and not where only one has settled it', async () => {
    const outputs = same();
    outputs.delete('5');
    const one = await runOf(wide, same());
    const another = await runOf(wide, outputs);
    expect((await state.compareRuns(one, another)).differing).toBe(0);
    const worker = new TestWorker(state, another);
    await worker.fail('5', { ...(await worker.take('5', 'a-5')), attemptId: 'a-5' });
    expect(await state.compareRuns(one, another)).toMatchObject({
      differing: 1,
      firstDivergence: { stepId: 's5', what: 'status', run: { status: 'succeeded' }, other: { status: 'failed' } },
    });
  });

  test('differ in the item of a map whose result was changed, and in how many items there are', async () => {
    const items = Array.from({ length: 60 }, (_, item) => `${item}`);
    const one = await mapRun(items);
    const another = await mapRun(items.map((item) => (item === '55' ? '"x"' : item)));
    expect(await state.compareRuns(one, another)).toMatchObject({
      ...{ compared: 60, differing: 1, firstDivergence: { stepId: 'each[55]', what: 'output' } },
    });
    const shorter = await mapRun(items.slice(0, 3));
    expect(await state.compareRuns(one, shorter)).toMatchObject({ firstDivergence: { stepId: 'each', what: 'items' } });
  });

  test('of which one is not there cannot be compared', async () => {
    const one = await runOf(other, new Map());
    await expect(state.compareRuns(one, '00-nobody')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(state.compareRuns('00-nobody', one)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
