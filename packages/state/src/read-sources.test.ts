import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { readSources } from './read-sources.ts';
import { SourceReading } from './source-reading.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';

const single = shapeOf('single', [{ id: 'first' }, { id: 'last' }]);
const mapped = shapeOf('mapped', [{ id: 'each', kind: 'map' }, { id: 'last' }]);
const ITEMS = 3;
const FAILED_ITEM = 1;

let connection: RedisConnection;
let state: State<PlanShape>;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [single, mapped]);
});
afterAll(() => closeConnection(connection));

async function commit(runId: string, key: string, stepId: string, outputJson: string): Promise<void> {
  const worker = new TestWorker(state, runId);
  const claimed = await worker.take(key, `attempt-${key}`);
  const { fence, createdAt: ts } = claimed;
  const checksum = state.seal.checksumOf({ runId, stepId, seq: 1, fence, stateJson: outputJson, ts, previous: '' });
  const checkpoint = { ts, seq: 1, checksum, previous: '' };
  await worker.commit(key, `attempt-${key}`, claimed, { outputJson, checkpoint, endStep: false });
}

const runKey = (runId: string) => stateKey(state.tagOf(runId), 'run', runId);

async function read(plan: PlanShape, runId: string) {
  const { createdAt } = (await state.readRun(runId))!;
  const reading = new SourceReading();
  const run = { client: connection.client, plan, tag: state.tagOf(runId), runId, createdAt, seal: state.seal, reading };
  return (await readSources(run, [0])).get(0)!;
}

async function change(runId: string, field: string, into: (stored: string) => string): Promise<void> {
  const stored = await connection.client.hget(runKey(runId), field);
  await connection.client.hset(runKey(runId), field, into(stored!));
}

describe('the result of a step', () => {
  async function succeeded(): Promise<string> {
    const { runId } = await state.createRun(requestOf(single));
    await commit(runId, '0', 'first', '{"value":1}');
    return runId;
  }

  test('is read as it was committed', async () => {
    expect(await read(single, await succeeded())).toMatchObject({ status: 'succeeded', output: { value: 1 } });
  });

  // `Q` and `R` are one bit away from `S`.
  test.each([...'QRFVMKXYBPDs?', ''])('G12 is not taken for another when its state has become "%s"', async (letter) => {
    const runId = await succeeded();
    await change(runId, 's0', (header) => letter + header.slice(1));
    await expect(read(single, runId)).rejects.toMatchObject({ code: 'DATA_CORRUPTION' });
  });
});

describe('the result of a map', () => {
  async function succeeded(): Promise<string> {
    const { runId } = await state.createRun(requestOf(mapped));
    const worker = new TestWorker(state, runId);
    await worker.startMap('0', ITEMS, { concurrency: ITEMS, toleratedFailures: 1 });
    for (let item = 0; item < ITEMS; item += 1) {
      if (item !== FAILED_ITEM) await commit(runId, `0.${item}`, `each[${item}]`, String(item));
    }
    const attempt = { ...(await worker.take(`0.${FAILED_ITEM}`, 'bad')), attemptId: 'bad' };
    await worker.fail(`0.${FAILED_ITEM}`, attempt, { endStep: false, successEdges: [] });
    return runId;
  }

  test('is what its items have returned, and null where one failed that it tolerates', async () => {
    expect(await read(mapped, await succeeded())).toMatchObject({ status: 'succeeded', output: [0, null, 2] });
  });

  test.each([
    ['an item is gone', '0.0', undefined],
    ['the item that failed is gone', `0.${FAILED_ITEM}`, undefined],
    ['an item says that it failed', '0.0', () => 'F|1|0|1|attempt|worker-1|1|1|2'],
    ['it has fewer items', '0', (header: string) => header.replace(/^V\|3/, 'V|2')],
    ['it has more items', '0', (header: string) => header.replace(/^V\|3/, 'V|4')],
    ['it has none', '0', (header: string) => header.replace(/^V\|3/, 'V|0')],
    ['nobody knows how many it has', '0', (header: string) => header.replace(/^V\|3/, 'V|x')],
    ['another number of them failed', '0', (header: string) => header.replace(/^V\|3\|1/, 'V|3|0')],
  ])('G12 is not used when %s', async (_what, key, into) => {
    const runId = await succeeded();
    if (into === undefined) await connection.client.hdel(runKey(runId), `s${key}`);
    else await change(runId, `s${key}`, into);
    await expect(read(mapped, runId)).rejects.toMatchObject({ code: 'DATA_CORRUPTION' });
  });
});
