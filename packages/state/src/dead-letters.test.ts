import type { DeadLetterView } from '@flotilla/contracts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { DeadLetterQuery } from './list-dead-letters.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';

const orders = shapeOf('orders', [{ id: 'pay' }, { id: 'ship' }]);
const wide = shapeOf(
  'wide',
  Array.from({ length: 230 }, (_, index) => ({ id: `s${index}` })),
);
const huge = shapeOf(
  'huge',
  Array.from({ length: 1100 }, (_, index) => ({ id: `s${index}` })),
);
const mapped = shapeOf('mapped', [{ id: 'each', kind: 'map' }]);

let connection: RedisConnection;
let state: State<PlanShape>;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [orders, wide, huge, mapped]);
});
afterAll(() => closeConnection(connection));

interface Failure {
  code?: string;
  type?: string;
  quarantine?: boolean;
}

async function failStep(runId: string, key: string, { code = 'NO', type = 'non_retryable', quarantine }: Failure = {}) {
  const worker = new TestWorker(state, runId);
  const claimed = await worker.take(key, `attempt-${runId}-${key}`);
  const attempt = { ...claimed, attemptId: `attempt-${runId}-${key}` };
  const errorJson = JSON.stringify({ type, code, message: 'it went wrong', stack: 'Error\n    at pay' });
  const lost = quarantine ? { event: 'attempt-lost' as const, quarantine } : {};
  expect(await worker.fail(key, attempt, { errorJson, runErrorJson: errorJson, ...lost })).toMatchObject({
    outcome: 'failed',
  });
}

async function succeed(runId: string, key: string): Promise<void> {
  const worker = new TestWorker(state, runId);
  await worker.commit(key, `good-${key}`, await worker.take(key, `good-${key}`));
}

/** A run of two steps whose first fails and whose second succeeds. */
async function deadRun(failure?: Failure): Promise<string> {
  const { runId } = await state.createRun(requestOf(orders));
  await failStep(runId, '0', failure);
  await succeed(runId, '1');
  expect(await state.readRun(runId)).toMatchObject({ status: 'failed' });
  return runId;
}

/** What a scheduler does of a redrive of the first step. */
async function reopen(runId: string, opening: number): Promise<void> {
  const tag = state.tagOf(runId);
  const slice = { timersOf: ['0'], remove: ['s0', 'o0', 'q0'], set: [] as [string, string][] };
  expect(await state.transitions.resetSteps(tag, runId, opening, slice)).toBe(true);
  const rest = { endPending: 1, failureJson: undefined, timeoutMs: undefined };
  expect(await state.transitions.reopenRun(tag, runId, opening, rest)).toBe(true);
}

const listed = async (query: Partial<DeadLetterQuery> = {}) =>
  (await state.listDeadLetters({ limit: 500, ...query })).deadLetters;
const ids = (letters: readonly DeadLetterView[]) => letters.map(({ id }) => id);

describe('a step that failed for good', () => {
  test('is a dead letter once its run has ended by it, and not before', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0', { code: 'DECLINED' });
    expect(await listed()).toEqual([]);
    await expect(state.readDeadLetter(runId, 'pay')).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    await expect(state.redriveDeadLetters(runId, ['pay'])).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    await succeed(runId, '1');
    const [letter] = await listed();
    expect(letter).toMatchObject({
      id: `${runId}/pay`,
      ...{ runId, workflow: 'orders', stepId: 'pay', reason: 'failed', attempts: 1, opening: 1 },
      error: { type: 'non_retryable', code: 'DECLINED', message: 'it went wrong' },
    });
    const { endedAt } = (await state.readRun(runId))!;
    expect(letter!.deadSince).toBe(endedAt);
    expect(letter!.failedAt).toBeLessThanOrEqual(endedAt!);
  });

  test('is none when its run was cancelled', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0');
    await state.cancelRun(runId);
    expect(await listed()).toEqual([]);
    await expect(state.discardDeadLetters(runId, ['pay'])).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
  });

  test('is one when its run timed out', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0');
    await state.transitions.timeOutRun(
      state.tagOf(runId),
      runId,
      '{"type":"timeout","code":"TIMEOUT","message":"late"}',
    );
    expect(ids(await listed())).toEqual([`${runId}/pay`]);
  });

  test('goes with its run when that is pruned', async () => {
    const runId = await deadRun();
    await state.transitions.pruneRun(state.tagOf(runId), runId);
    expect(await listed()).toEqual([]);
    const keys = [stateKey(state.tagOf(runId), 'dead'), stateKey(state.tagOf(runId), 'deadLetters', runId)];
    expect(await Promise.all(keys.map((key) => connection.client.exists(key)))).toEqual([0, 0]);
  });

  test('of a map is the map, which tells of its items', async () => {
    const { runId } = await state.createRun(requestOf(mapped));
    await new TestWorker(state, runId).startMap('0', 2, { concurrency: 1 });
    await failStep(runId, '0.0', { code: 'BAD_ITEM' });
    expect(ids(await listed())).toEqual([`${runId}/each`]);
    const detail = await state.readDeadLetter(runId, 'each[0]');
    expect(detail).toMatchObject({
      id: `${runId}/each`,
      failedItems: [{ stepId: 'each[0]', reason: 'failed', error: { code: 'BAD_ITEM' }, item: 0 }],
    });
    expect(detail.events.map(({ type, stepId }) => [type, stepId])).toEqual([
      ['attempt-started', 'each[0]'],
      ['attempt-failed', 'each[0]'],
      ['step-failed', 'each[0]'],
      ['step-failed', 'each'],
    ]);
  });
});

describe('the list', () => {
  test('is of all partitions, the newest first, and filtered', async () => {
    const first = await deadRun({ code: 'DECLINED' });
    const second = await deadRun({ code: 'CRASH_LIMIT', quarantine: true });
    const third = await deadRun({ code: 'ECONNRESET', type: 'transient' });
    const all = [third, second, first].map((runId) => `${runId}/pay`);
    const { deadSince } = (await listed({ errorCode: 'CRASH_LIMIT' }))[0]!;
    const newestFirst = (await listed()).map(({ deadSince: at }) => at);
    expect(newestFirst).toEqual([...newestFirst].sort((a, b) => b - a));
    expect(ids(await listed()).sort()).toEqual([...all].sort());
    expect(ids(await listed({ errorCode: 'DECLINED' }))).toEqual([`${first}/pay`]);
    expect(ids(await listed({ errorType: 'transient' }))).toEqual([`${third}/pay`]);
    expect(await listed({ reason: 'quarantined' })).toMatchObject([{ id: `${second}/pay`, attempts: 0, crashes: 1 }]);
    expect(await listed({ workflow: 'other' })).toEqual([]);
    expect(await listed({ stepId: 'ship' })).toEqual([]);
    expect(await listed({ use: 'work' })).toEqual([]);
    expect(ids(await listed({ since: deadSince, until: deadSince }))).toContain(`${second}/pay`);
    expect(await listed({ since: deadSince + 60_000 })).toEqual([]);
  });

  test.each(['newest', 'oldest'] as const)('is the same by pages (%s first)', async (order) => {
    for (let count = 0; count < 7; count += 1) await deadRun();
    const whole = ids(await listed({ order }));
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await state.listDeadLetters({ order, limit: 2, cursor });
      paged.push(...ids(page.deadLetters));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(whole).toHaveLength(7);
    expect(paged).toEqual(whole);
  });

  test('goes through a run of many, and does not divide it where it must not', async () => {
    const { runId } = await state.createRun(requestOf(wide));
    await Promise.all(wide.steps.map(({ index }) => failStep(runId, String(index))));
    await deadRun();
    const own = wide.steps.map(({ id }) => `${runId}/${id}`);
    expect(ids(await listed({ workflow: 'wide' }))).toEqual(own);
    const page = await state.listDeadLetters({ order: 'oldest', limit: 3, wholeRuns: true });
    expect(ids(page.deadLetters)).toEqual(own);
    expect((await state.listDeadLetters({ order: 'oldest', limit: 3, cursor: page.cursor })).deadLetters).toHaveLength(
      1,
    );
    const half = await state.listDeadLetters({ order: 'oldest', limit: 150 });
    const rest = await state.listDeadLetters({ order: 'oldest', limit: 150, cursor: half.cursor });
    expect([...ids(half.deadLetters), ...ids(rest.deadLetters).slice(0, 80)]).toEqual(own);
  });

  test('refuses a cursor that it has not given', async () => {
    await expect(state.listDeadLetters({ limit: 1, cursor: 'x' })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  test('shows what is known of a run whose definition is damaged', async () => {
    const runId = await deadRun();
    const definition = stateKey(state.tagOf(runId), 'definition', orders.hash);
    await connection.client.hset(definition, 'text', '{"name":"nobody"}');
    const forgetful = createTestState(connection.client, state.namespace, []);
    expect((await forgetful.listDeadLetters({ limit: 5 })).deadLetters).toMatchObject([{ id: `${runId}/#0` }]);
  });
});

describe('redriving', () => {
  test('is one retry of exactly this step, however many ask', async () => {
    const runId = await deadRun();
    const answers = await Promise.all(Array.from({ length: 8 }, () => state.redriveDeadLetters(runId, ['pay'])));
    expect(answers.filter(({ alreadyRedriven }) => !alreadyRedriven)).toHaveLength(1);
    expect(answers.every(({ status, opening }) => status === 'pending' && opening === 2)).toBe(true);
    expect(await listed()).toEqual([]);
    await reopen(runId, 2);
    expect(await state.redriveDeadLetters(runId, ['pay'])).toMatchObject({ alreadyRedriven: true });
    await succeed(runId, '0');
    const after = await state.redriveDeadLetters(runId, ['pay']);
    expect(after).toEqual({ alreadyRedriven: true, status: 'succeeded', opening: 2, redriven: [false] });
    expect(await listed()).toEqual([]);
  });

  test('of what failed anew is another one, and an answer that was lost does not begin it', async () => {
    const runId = await deadRun();
    await state.redriveDeadLetters(runId, ['pay'], 1);
    await reopen(runId, 2);
    await failStep(runId, '0', { code: 'AGAIN' });
    expect(await listed()).toMatchObject([{ opening: 2, error: { code: 'AGAIN' } }]);
    expect(await state.redriveDeadLetters(runId, ['pay'], 1)).toMatchObject({
      alreadyRedriven: true,
      status: 'failed',
    });
    expect(await state.redriveDeadLetters(runId, ['pay'], 2)).toMatchObject({ alreadyRedriven: false, opening: 3 });
  });

  test('leaves the others of the run dead', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0');
    await failStep(runId, '1', { code: 'OTHER' });
    expect(ids(await listed())).toEqual([`${runId}/pay`, `${runId}/ship`]);
    await state.redriveDeadLetters(runId, ['pay']);
    await reopen(runId, 2);
    await expect(state.redriveDeadLetters(runId, ['ship'])).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
  });

  test('says of each step whether it is made anew', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0');
    await failStep(runId, '1');
    await state.discardDeadLetters(runId, ['ship']);
    const both = ['pay', 'ship'];
    expect(await state.redriveDeadLetters(runId, both)).toMatchObject({ redriven: [true, false] });
    expect(await state.redriveDeadLetters(runId, both)).toMatchObject({ redriven: [false, false] });
  });

  test('of a step that has never failed is refused, however often its run was opened', async () => {
    const runId = await deadRun();
    await state.redriveDeadLetters(runId, ['pay']);
    await reopen(runId, 2);
    await failStep(runId, '0');
    await expect(state.redriveDeadLetters(runId, ['ship'])).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    expect(await state.redriveDeadLetters(runId, ['ship', 'pay'])).toMatchObject({ redriven: [false, true] });
  });

  test('and discarding refuse an opening that the run has not come to', async () => {
    const runId = await deadRun();
    await expect(state.redriveDeadLetters(runId, ['pay'], 2)).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    await expect(state.discardDeadLetters(runId, ['pay'], 2)).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    expect(await listed()).toHaveLength(1);
  });

  test('of what is no dead letter is refused', async () => {
    const runId = await deadRun();
    await expect(state.redriveDeadLetters(runId, ['ship'])).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    await expect(state.redriveDeadLetters(runId, ['none'])).rejects.toMatchObject({ code: 'STEP_NOT_FOUND' });
    await expect(state.redriveDeadLetters('00-none', ['pay'])).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});

describe('discarding', () => {
  test('takes it off the list once, and leaves the run as it is', async () => {
    const runId = await deadRun();
    const before = await state.readRun(runId);
    expect(await state.discardDeadLetters(runId, ['pay'])).toEqual([true]);
    expect(await state.discardDeadLetters(runId, ['pay'])).toEqual([false]);
    expect(await listed()).toEqual([]);
    expect(await state.readRun(runId)).toEqual(before);
    await expect(state.redriveDeadLetters(runId, ['pay'])).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    expect(await state.retryRun(runId)).toMatchObject({ alreadyRetried: false });
  });

  test('of an opening that has passed discards nothing', async () => {
    const runId = await deadRun();
    await state.redriveDeadLetters(runId, ['pay']);
    await expect(state.discardDeadLetters(runId, ['pay'])).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    await reopen(runId, 2);
    await failStep(runId, '0');
    await expect(state.discardDeadLetters(runId, ['pay'], 1)).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    expect(await listed()).toHaveLength(1);
    expect(await state.discardDeadLetters(runId, ['pay'], 2)).toEqual([true]);
  });

  test('of very many is several calls, and says of each whether it was listed', async () => {
    const { runId } = await state.createRun(requestOf(huge));
    await Promise.all(huge.steps.map(({ index }) => failStep(runId, String(index))));
    const all = huge.steps.map(({ id }) => id);
    expect(await state.discardDeadLetters(runId, [all[600]!])).toEqual([true]);
    expect(await state.discardDeadLetters(runId, all)).toEqual(all.map((_, index) => index !== 600));
    expect(await listed()).toEqual([]);
  });

  test('of one leaves the others of the run', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0');
    await failStep(runId, '1');
    expect(await state.discardDeadLetters(runId, ['pay'])).toEqual([true]);
    expect(ids(await listed())).toEqual([`${runId}/ship`]);
  });
});

describe('redriving and discarding at once', () => {
  test('is one of them: what was told to be discarded is not made anew, and what is made anew was not discarded', async () => {
    const outcomes = new Set<string>();
    for (let turn = 0; turn < 20; turn += 1) {
      const runId = await deadRun();
      const [redriven, discarded] = await Promise.allSettled([
        state.redriveDeadLetters(runId, ['pay']),
        state.discardDeadLetters(runId, ['pay']),
      ]);
      const { status, opening } = (await state.readRun(runId))!;
      outcomes.add(`${redriven.status}, ${discarded.status}, ${status}, opening ${opening ?? 1}`);
    }
    const allowed = ['rejected, fulfilled, failed, opening 1', 'fulfilled, rejected, pending, opening 2'];
    expect([...outcomes].filter((outcome) => !allowed.includes(outcome))).toEqual([]);
  });

  test('of two of a run makes the one anew that was not discarded', async () => {
    const { runId } = await state.createRun(requestOf(orders));
    await failStep(runId, '0');
    await failStep(runId, '1');
    const redriving = state.redriveDeadLetters(runId, ['pay', 'ship']);
    const discarded = await state.discardDeadLetters(runId, ['pay']).catch(() => 'too late');
    await redriving;
    const { events } = await state.readHistory(runId, { after: -1, limit: 100 });
    const steps = events.find(({ type }) => type === 'run-retried')?.data?.['steps'];
    expect(steps).toEqual(discarded === 'too late' ? ['pay', 'ship'] : ['ship']);
  });

  test('refuses to open a run from what is no dead letter any more, of however many', async () => {
    const { runId } = await state.createRun(requestOf(huge));
    await Promise.all(huge.steps.map(({ index }) => failStep(runId, String(index))));
    await state.discardDeadLetters(runId, [huge.steps.at(-1)!.id]);
    const only = huge.steps.map(({ index }) => index);
    const open = (selection: object) =>
      state.transitions.retryRun(state.tagOf(runId), runId, {
        ...{ seen: 1, selectionJson: JSON.stringify(selection), dataJson: '{}', mustBeDead: true },
      });
    expect(await open({ only })).toEqual({ reply: 'refused', status: 'discarded' });
    expect(await state.readRun(runId)).toMatchObject({ status: 'failed' });
    expect(await open({ only: only.slice(0, -1) })).toMatchObject({ reply: 'retried', opening: 2 });
  });
});

describe('a run that somebody wrote into', () => {
  const runKey = (runId: string) => stateKey(state.tagOf(runId), 'run', runId);
  const lettersKey = (runId: string) => stateKey(state.tagOf(runId), 'deadLetters', runId);

  test.each(['{', 'null', '"text"', '[]', '{"type":1,"code":2,"message":3}', ''])(
    'does not hide the others when the error of its step is %s',
    async (stored) => {
      const [damaged, good] = [await deadRun(), await deadRun({ code: 'DECLINED' })];
      await connection.client.hset(runKey(damaged), 'o0', stored);
      const letters = await listed();
      expect(letters.find(({ runId }) => runId === damaged)?.error).toMatchObject({ code: 'DATA_CORRUPTION' });
      expect(letters.find(({ runId }) => runId === good)?.error).toMatchObject({ code: 'DECLINED' });
      expect(await state.readDeadLetter(damaged, 'pay')).toMatchObject({ error: { code: 'DATA_CORRUPTION' } });
      expect(await state.discardDeadLetters(damaged, ['pay'])).toEqual([true]);
    },
  );

  test.each(['run', 'deadLetters'] as const)('does not hide the others when its key (%s) is none', async (which) => {
    const [damaged, good] = [await deadRun(), await deadRun()];
    await connection.client.set(which === 'run' ? runKey(damaged) : lettersKey(damaged), 'not what it was');
    expect(ids(await listed())).toEqual([`${good}/pay`]);
  });

  test('does not hide the others when it lists steps that it does not have', async () => {
    const [damaged, good] = [await deadRun(), await deadRun()];
    await connection.client.zadd(lettersKey(damaged), '7', '7', '8', 'none', '+inf', 'endless');
    expect(ids(await listed()).sort()).toEqual([`${damaged}/pay`, `${good}/pay`].sort());
  });
});

test('a dead letter shows what it was given and what happened', async () => {
  const runId = await deadRun({ code: 'CRASH_LIMIT', quarantine: true });
  const detail = await state.readDeadLetter(runId, 'pay');
  expect(detail).toMatchObject({
    ...{ id: `${runId}/pay`, reason: 'quarantined', crashes: 1, lostWith: ['worker-1'], eventsTruncated: false },
    run: { status: 'failed', input: { n: 1 }, path: `/v1/runs/${runId}`, tags: [] },
  });
  expect(detail.events.map(({ type }) => type)).toEqual(['attempt-started', 'attempt-lost', 'step-quarantined']);
  expect(detail.error.stack).toBe('Error\n    at pay');
  const { deadLetters } = await state.listDeadLetters({ limit: 10 });
  expect(deadLetters[0]?.error).not.toHaveProperty('stack');
});
