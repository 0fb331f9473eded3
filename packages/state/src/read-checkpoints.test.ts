import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkpointChecksum } from './checkpoint.ts';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';
import type { ClaimedAttempt } from './transitions/claimed-attempt.ts';

const plan = shapeOf('checkpoints', [{ id: 'a' }, { id: 'b', kind: 'map', needs: [0] }, { id: 'c', needs: [1] }]);
const STATE = '{"ü":"🚀"}';

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

async function commit(key: string, stepId: string, seq = 1, attempt?: ClaimedAttempt): Promise<void> {
  const claimed = attempt ?? (await worker.take(key, `by-${key}`));
  const { fence, createdAt } = claimed;
  const envelope = { runId, stepId, seq, fence, stateJson: STATE, ts: createdAt + 3, previous: '' };
  const { ts, previous } = envelope;
  const checkpoint = { seq, ts, previous, checksum: checkpointChecksum(envelope) };
  await worker.commit(key, `by-${key}`, claimed, { outputJson: STATE, checkpoint });
}

async function saveProgress(key: string, stepId: string): Promise<ClaimedAttempt> {
  const claimed = await worker.take(key, `by-${key}`);
  const { fence, createdAt } = claimed;
  const ts = createdAt + 2;
  const checksum = checkpointChecksum({
    runId,
    stepId,
    seq: 1,
    fence,
    stateJson: STATE,
    ts,
    previous: '',
    kind: 'progress',
  });
  const address = { ...worker.address(key), fence, createdAt, attemptId: `by-${key}` };
  await state.transitions.saveProgress(address, STATE, { ts, seq: 1, checksum, previous: '' });
  return claimed;
}

async function listed(limit: number): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await state.listCheckpoints(runId, { limit, cursor });
    found.push(...page.checkpoints.map(({ stepId, kind, seq }) => `${stepId} ${kind} ${seq}`));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

const field = (name: string, value: string) => connection.client.hset(stateKey(worker.tag, 'run', runId), name, value);

describe('the list of checkpoints', () => {
  test('verifies each, and pages through those that there are', async () => {
    await commit('0', 'a');
    await commit('2', 'c');
    const first = await state.listCheckpoints(runId, { limit: 2 });
    expect(first.checkpoints).toMatchObject([{ stepId: 'a', kind: 'result', seq: 1, verified: true }]);
    const second = await state.listCheckpoints(runId, { limit: 2, cursor: first.cursor });
    expect(second.checkpoints).toMatchObject([{ stepId: 'c', verified: true }]);
    await field('o0', '{"ü":"🚁"}');
    const damaged = await state.listCheckpoints(runId, { limit: 10 });
    expect(damaged.checkpoints.map(({ stepId, verified }) => [stepId, verified])).toEqual([
      ['a', false],
      ['c', true],
    ]);
    // An output that is not what was committed is not shown as if it were.
    const { steps } = await state.listSteps(runId, { limit: 1 });
    expect(steps[0]).toMatchObject({ status: 'succeeded', error: { code: 'DATA_CORRUPTION' } });
    expect(steps[0]).not.toHaveProperty('output');
  });

  test.each([1, 2, 3, 4, 100])(
    'has progress inside steps, and items of maps behind their map, in pages of %p',
    async (limit) => {
      await commit('0', 'a', 2, await saveProgress('0', 'a'));
      await worker.startMap('1', 3, { concurrency: 3 });
      await commit('1.0', 'b[0]');
      await saveProgress('1.2', 'b[2]');
      await commit('2', 'c');
      expect(await listed(limit)).toEqual([
        'a progress 1',
        'a result 2',
        'b[0] result 1',
        'b[2] progress 1',
        'c result 1',
      ]);
    },
  );

  test('says of progress too when it is not what was saved', async () => {
    await saveProgress('0', 'a');
    const [good] = (await state.listCheckpoints(runId, { limit: 1 })).checkpoints;
    expect(good).toMatchObject({ kind: 'progress', verified: true, previous: '' });
    const stored = await connection.client.hget(stateKey(worker.tag, 'run', runId), 'k0~1');
    await field('k0~1', stored!.replace('🚀', '🚁'));
    const [damaged] = (await state.listCheckpoints(runId, { limit: 1 })).checkpoints;
    expect(damaged).toMatchObject({ kind: 'progress', verified: false, problem: 'does not match its checksum' });
  });

  test('says when the newest progress is gone', async () => {
    await saveProgress('0', 'a');
    await connection.client.hdel(stateKey(worker.tag, 'run', runId), 'k0~1');
    const { checkpoints } = await state.listCheckpoints(runId, { limit: 1 });
    expect(checkpoints).toMatchObject([
      { kind: 'progress', seq: 1, verified: false, problem: 'is gone or was exchanged' },
    ]);
  });

  test('refuses what is no cursor, and of no run is RUN_NOT_FOUND', async () => {
    await expect(state.listCheckpoints(runId, { limit: 5, cursor: 'x' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await expect(state.listCheckpoints('00-nobody', { limit: 5 })).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
