import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';

/** Cleanups of runs whose fields are damaged, and limits that the model does not reach. */

const plan = shapeOf('undone', [{ id: 'first' }, { id: 'second' }]);

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

/** Both steps run and each has registered a cleanup. Gives the first one's attempt. */
async function register() {
  const attempts = [];
  for (const key of ['0', '1']) {
    const { fence, createdAt } = await worker.take(key, `attempt-${key}`);
    const attempt = { ...worker.address(key), fence, createdAt, attemptId: `attempt-${key}` };
    await state.transitions.registerCleanup(attempt, { use: 'undo', inputJson: '"a|b"', digest: 'd' });
    attempts.push(attempt);
  }
  return attempts;
}

/** The run is cancelled and its attempts have heard of it: what is left are the cleanups. */
async function cancel(attempts: Awaited<ReturnType<typeof register>>): Promise<void> {
  await state.cancelRun(runId);
  for (const attempt of attempts) await state.transitions.release(attempt, 'cancelled');
}

async function told(): Promise<string[]> {
  const { events } = await state.readHistory(runId, { after: -1, limit: 100 });
  return events
    .filter(({ type }) => type.startsWith('cleanup-') || type.startsWith('run-'))
    .map(({ type, stepId, cleanup }) => [type, stepId, cleanup].filter((part) => part !== undefined).join(' '));
}

describe('the cleanups of a run', () => {
  test('of which one cannot be read: it has failed, and the others are made', async () => {
    const attempts = await register();
    await connection.client.hdel(runKey(), 'u1');
    await cancel(attempts);
    const { client } = connection;
    const entries = await client.xrange(stateKey(worker.tag, 'outbox'), '-', '+');
    expect(entries.at(-1)?.[1][1]).toMatch(/^S\|.*\|0!0$/);
    const claimed = await state.transitions.claimCleanup(worker.address('0!0'), {
      ...{ attemptId: 'undoing', worker: 'w1', attemptMs: 1000 },
    });
    if ('refused' in claimed) throw new Error(claimed.refused);
    const { fence, createdAt } = claimed.claimed;
    const attempt = { fence, createdAt, attemptId: 'undoing' };
    await state.transitions.endCleanup(worker.address('0!0'), { attempt, becomes: 'succeeded' });
    expect((await state.readRun(runId))?.cleanups).toEqual({ registered: 2, left: 0, failed: 1, outcome: 'cancelled' });
    expect((await told()).slice(1)).toEqual([
      ...['cleanup-registered first 0', 'cleanup-registered second 1', 'cleanup-failed 1'],
      ...['cleanup-started first 0', 'cleanup-succeeded first 0', 'run-cancelled'],
    ]);
  });

  test('of which one is parked behind a breaker: it is counted there, and no longer once it is made or its time is over', async () => {
    await cancel(await register());
    const { transitions } = state;
    const { client } = connection;
    const countParked = () => client.zcard(stateKey(worker.tag, 'parkedBehind', 'payments'));
    const parked = { becomes: 'parked', dataJson: '{"reason":"breaker:payments"}', retryInMs: 60_000 } as const;
    const attempts = [];
    for (const attemptId of ['one', 'two']) {
      const address = worker.address('1!1');
      const claimed = await transitions.claimCleanup(address, { attemptId, worker: 'w1', attemptMs: 1000 });
      if ('refused' in claimed) throw new Error(claimed.refused);
      expect(await countParked()).toBe(0);
      const { fence, createdAt } = claimed.claimed;
      attempts.push({ fence, createdAt, attemptId });
      // Repeated, as by whoever does not know whether it took effect.
      for (const _ of [1, 2]) {
        expect(await transitions.endCleanup(address, { attempt: attempts.at(-1)!, ...parked })).toBe(true);
      }
      expect(await countParked()).toBe(1);
    }
    const [, cleanup] = (await state.listCleanups(runId, { limit: 2 })).cleanups;
    expect(cleanup).toMatchObject({ status: 'parked', reason: 'breaker:payments', attempts: 0 });
    await transitions.endCleanup(worker.address('1!1'), { becomes: 'failed', dataJson: '{"code":"TIMEOUT"}' });
    expect(await countParked()).toBe(0);
    expect((await state.readRun(runId))?.cleanups).toMatchObject({ left: 1, failed: 1 });
  });

  test('of which nothing can be read have failed, and the run ends', async () => {
    const attempts = await register();
    await connection.client.hset(runKey(), 'u', 'damaged');
    await cancel(attempts);
    expect(await state.readRun(runId)).toMatchObject({ status: 'cancelled', cleanups: { left: 0, failed: 1 } });
    expect((await told()).slice(-2)).toEqual(['cleanup-failed', 'run-cancelled']);
  });

  test('are not touched when the run is failed once more, because the answer to the first call was lost', async () => {
    const attempts = await register();
    for (const attempt of attempts) await state.transitions.release(attempt, 'drain');
    await state.failCorrupt({ runId }, 'gone');
    const before = [await state.readRun(runId), await told()];
    expect(before[0]).toMatchObject({ status: 'cancelling', cleanups: { left: 2, failed: 0, outcome: 'failed' } });
    await state.failCorrupt({ runId }, 'gone');
    expect([await state.readRun(runId), await told()]).toEqual(before);
  });

  test.each(['', 'B|damaged', 'R|damaged'])(
    'of which one cannot be made (header %p): it has failed, once',
    async (header) => {
      await cancel(await register());
      if (header.startsWith('R')) {
        const attempt = { attemptId: 'undoing', worker: 'w1', attemptMs: 1000 };
        await state.transitions.claimCleanup(worker.address('1!1'), attempt);
      }
      if (header !== '') await connection.client.hset(runKey(), 's1!1', header);
      await state.failCorrupt({ runId, key: '1!1' }, 'gone');
      // The answer was lost: asked again it says the same of the same cleanup, and nothing of the next.
      await state.failCorrupt({ runId, key: '1!1' }, 'gone');
      expect((await state.readRun(runId))?.cleanups).toMatchObject({ registered: 2, left: 1, failed: 1 });
      await state.failCorrupt({ runId, key: '0!0' }, 'gone');
      expect(await state.readRun(runId)).toMatchObject({
        ...{ status: 'cancelled', cleanups: { registered: 2, left: 0, failed: 2 } },
      });
      const { cleanups } = await state.listCleanups(runId, { limit: 10 });
      expect(cleanups).toMatchObject([
        { number: 0, stepId: 'first', kind: 'registered', use: 'undo', status: 'failed', error: { message: 'gone' } },
        { number: 1, stepId: 'second', status: 'failed', error: { message: 'gone' } },
      ]);
    },
  );

  test('are listed in pages', async () => {
    await register();
    const first = await state.listCleanups(runId, { limit: 1 });
    expect(first).toMatchObject({ cleanups: [{ number: 0 }], cursor: '1' });
    const second = await state.listCleanups(runId, { limit: 1, cursor: '1' });
    expect(second.cleanups).toMatchObject([{ number: 1, status: 'registered' }]);
    expect(second.cursor).toBeUndefined();
    await expect(state.listCleanups(runId, { limit: 1, cursor: 'x' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });
});

describe('a step', () => {
  test('registers a hundred cleanups and no more', async () => {
    const [attempt] = await register();
    const registerOne = (digest: number) =>
      state.transitions.registerCleanup(attempt!, { use: 'undo', inputJson: `${digest}`, digest: `d${digest}` });
    for (let digest = 0; digest < 99; digest += 1) await registerOne(digest);
    await expect(registerOne(99)).rejects.toMatchObject({ code: 'CLEANUP_REFUSED' });
    expect(await registerOne(0)).toBe(2);
  });

  test('that has ended registers none', async () => {
    const [attempt] = await register();
    await state.transitions.release(attempt!, 'drain');
    const late = state.transitions.registerCleanup(attempt!, { use: 'undo', inputJson: '1', digest: 'late' });
    expect(await late).toBeUndefined();
  });
});

describe('a cleanup that has failed for good', () => {
  const failure = '{"code":"REFUSED","message":"no","stack":"Error","type":"non_retryable"}';

  /** Claims the cleanup and ends it. */
  async function make(key: string, becomes: 'succeeded' | 'failed', attemptId: string): Promise<void> {
    const claimed = await state.transitions.claimCleanup(worker.address(key), {
      ...{ attemptId, worker: 'w1', attemptMs: 1000 },
    });
    if ('refused' in claimed) throw new Error(claimed.refused);
    const { fence, createdAt } = claimed.claimed;
    const attempt = { fence, createdAt, attemptId };
    const dataJson = becomes === 'failed' ? failure : undefined;
    expect(
      await state.transitions.endCleanup(worker.address(key), { attempt, becomes, ...(dataJson && { dataJson }) }),
    ).toBe(true);
  }

  /** Two have failed, and the run has ended. */
  async function failBoth(): Promise<void> {
    await cancel(await register());
    await make('1!1', 'failed', 'one');
    await make('0!0', 'failed', 'two');
  }

  const listed = async () => (await state.listFailedCleanups({ limit: 10 })).runs;
  const outcome = { runId: '', workflow: 'undone', status: 'cancelled' };

  test('is listed with its run, and is no longer once it is being retried; the run itself stays ended', async () => {
    await failBoth();
    expect(await listed()).toMatchObject([
      {
        ...{ ...outcome, runId, failed: 2, left: 0 },
        cleanups: [
          { number: 0, stepId: 'first', status: 'failed', error: { code: 'REFUSED' } },
          { number: 1, stepId: 'second', status: 'failed' },
        ],
      },
    ]);
    expect((await listed())[0]!.cleanups[0]!.error).not.toHaveProperty('stack');
    expect(await state.countFailedCleanups()).toBe(1);
    expect(await state.retryCleanup(runId, 1)).toBe(false);
    const entries = await connection.client.xrange(stateKey(worker.tag, 'outbox'), '-', '+');
    expect(entries.at(-1)?.[1][1]).toMatch(/^S\|.*\|1!1$/);
    expect(await listed()).toMatchObject([
      { failed: 1, left: 1, cleanups: [{ number: 0 }, { number: 1, status: 'registered' }] },
    ]);
    await make('1!1', 'succeeded', 'three');
    expect(await listed()).toMatchObject([{ failed: 1, left: 0, cleanups: [{ number: 0 }] }]);
    await state.retryCleanup(runId, 0);
    await make('0!0', 'succeeded', 'four');
    expect([await listed(), await state.countFailedCleanups()]).toEqual([[], 0]);
    expect(await state.readRun(runId)).toMatchObject({
      ...{ status: 'cancelled', cleanups: { registered: 2, left: 0, failed: 0, outcome: 'cancelled' } },
    });
    expect((await told()).slice(-7)).toEqual([
      'run-cancelled',
      ...['cleanup-requested second 1', 'cleanup-started second 1', 'cleanup-succeeded second 1'],
      ...['cleanup-requested first 0', 'cleanup-started first 0', 'cleanup-succeeded first 0'],
    ]);
  });

  test('may fail again, and be made again', async () => {
    await failBoth();
    for (const attemptId of ['three', 'four']) {
      expect(await state.retryCleanup(runId, 0)).toBe(false);
      await make('0!0', 'failed', attemptId);
      expect(await listed()).toMatchObject([{ failed: 2, left: 0 }]);
    }
  });

  test('is made again once, however many ask; meanwhile neither another is, nor is the run retried', async () => {
    await failBoth();
    const answers = await Promise.all(Array.from({ length: 5 }, () => state.retryCleanup(runId, 1)));
    expect(answers.sort()).toEqual([false, true, true, true, true]);
    await expect(state.retryCleanup(runId, 0)).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    await expect(state.retryRun(runId)).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    await expect(state.previewRetry(runId)).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    await make('1!1', 'succeeded', 'three');
    await expect(state.retryCleanup(runId, 1)).rejects.toMatchObject({ code: 'NOTHING_TO_RETRY' });
    expect(await state.retryRun(runId)).toMatchObject({ opening: 2 });
    expect(await listed()).toEqual([]);
  });

  test('whose worker is lost is handed out again', async () => {
    await failBoth();
    await state.retryCleanup(runId, 1);
    const { transitions } = state;
    const lost = createTestState(connection.client, state.namespace, [plan], { leaseDurationMs: 1 });
    const address = worker.address('1!1');
    await lost.transitions.claimCleanup(address, { attemptId: 'lost', worker: 'gone', attemptMs: 60_000 });
    let reclaimed = 0;
    for (let tries = 0; reclaimed === 0 && tries < 1000; tries += 1) {
      const { lost: count } = await transitions.reclaim(worker.tag, {
        limit: 10,
        pauseMs: 60_000,
        suspensionMs: 0,
        crashLimit: 3,
      });
      reclaimed = count;
    }
    expect(reclaimed).toBe(1);
    await make('1!1', 'succeeded', 'again');
    expect(await listed()).toMatchObject([{ failed: 1, left: 0 }]);
  });

  test.each([
    ['that there is not', 7, 'CLEANUP_NOT_FOUND'],
    ['that succeeded', 1, 'NOTHING_TO_RETRY'],
  ])('is another one than one %s', async (_what, number, code) => {
    await cancel(await register());
    await make('1!1', 'succeeded', 'one');
    await expect(state.retryCleanup(runId, 0)).rejects.toMatchObject({ code: 'RUN_STILL_ACTIVE' });
    await make('0!0', 'failed', 'two');
    await expect(state.retryCleanup(runId, number)).rejects.toMatchObject({ code });
    await expect(state.retryCleanup('00-nobody', 0)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });

  test('is listed page by page, the newest first, also of runs that ended in one millisecond', async () => {
    const runIds: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      ({ runId } = await state.createRun(requestOf(plan)));
      worker = new TestWorker(state, runId);
      await failBoth();
      await connection.client.zadd(stateKey(worker.tag, 'failedCleanups'), index < 3 ? 1000 : 2000, runId);
      runIds.push(runId);
    }
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await state.listFailedCleanups({ limit: 2, cursor });
      found.push(...page.runs.map((run) => run.runId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(found.slice(0, 2).sort()).toEqual(runIds.slice(3).sort());
    expect(found.slice(2).sort()).toEqual(runIds.slice(0, 3).sort());
    await expect(state.listFailedCleanups({ limit: 2, cursor: 'x' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });
});
