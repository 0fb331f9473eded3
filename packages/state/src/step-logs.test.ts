import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';

const plan = shapeOf('logged', [{ id: 'first' }, { id: 'each', kind: 'map' }]);
const ALL = { after: -1, limit: 1000 };

let connection: RedisConnection;
let state: State<PlanShape>;
let runId: string;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(async () => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [plan]);
  ({ runId } = await state.createRun(requestOf(plan)));
});
afterAll(() => closeConnection(connection));

const linesOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({
    ...{ at: 1000 + index, attempt: 1, level: 'info' as const, message: `line ${from + index}` },
  }));
const append = (lines: ReturnType<typeof linesOf>, more: object = {}) =>
  state.appendLogs({ tag: state.tagOf(runId), runId, key: '0', chunk: 'a.0', lines, dropped: 0, ...more });

describe('lines of a step', () => {
  test('are read in pages, each once', async () => {
    await append(linesOf(5));
    const first = await state.readStepLogs(runId, 'first', { after: -1, limit: 3 });
    const second = await state.readStepLogs(runId, 'first', { after: first.next, limit: 3 });
    const third = await state.readStepLogs(runId, 'first', { after: second.next, limit: 3 });
    expect([...first.lines, ...second.lines].map(({ seq, message }) => [seq, message])).toEqual(
      linesOf(5).map(({ message }, seq) => [seq, message]),
    );
    expect(third).toEqual({ lines: [], next: 4, dropped: 0 });
  });

  test('are kept once when a call is repeated', async () => {
    await append(linesOf(2));
    await append(linesOf(2));
    expect((await state.readStepLogs(runId, 'first', ALL)).lines).toHaveLength(2);
  });

  test('are dropped from the oldest on beyond a thousand, and that is said', async () => {
    for (let chunk = 0; chunk < 11; chunk += 1) await append(linesOf(100, chunk * 100), { chunk: `a.${chunk}` });
    await append(linesOf(1, 1100), { chunk: 'a.11', dropped: 7 });
    const { lines, dropped } = await state.readStepLogs(runId, 'first', ALL);
    expect(lines).toHaveLength(1000);
    expect(lines[0]).toMatchObject({ seq: 101, message: 'line 101' });
    expect(dropped).toBe(108);
    expect(await state.readLogIndex(runId)).toEqual({ steps: [{ stepId: 'first', lines: 1000, dropped: 108 }] });
  });

  test('of one attempt are those alone, and an item of a map has its own', async () => {
    await append([{ at: 1, attempt: 2, level: 'info', message: 'second' }, ...linesOf(1)]);
    await append(linesOf(1), { key: '1.3' });
    const { lines } = await state.readStepLogs(runId, 'first', { ...ALL, attempt: 2 });
    expect(lines.map(({ message }) => message)).toEqual(['second']);
    expect((await state.readStepLogs(runId, 'each[3]', ALL)).lines).toHaveLength(1);
  });

  test('go with their run, and a run that is gone keeps none', async () => {
    await append(linesOf(1));
    const worker = new TestWorker(state, runId);
    await state.cancelRun(runId);
    await state.transitions.pruneRun(worker.tag, runId);
    await append(linesOf(1), { chunk: 'a.1' });
    expect(await connection.client.keys(`*${state.namespace}*:g:*`)).toEqual([]);
    await expect(state.readStepLogs(runId, 'first', ALL)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });

  test('of a step that the run does not have are refused', async () => {
    await expect(state.readStepLogs(runId, 'nothing', ALL)).rejects.toMatchObject({ code: 'STEP_NOT_FOUND' });
  });
});
