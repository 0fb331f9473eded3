import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { RunQuery } from './list-runs.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf } from './testing/state-for-tests.ts';

const plan = shapeOf('listed', [{ id: 'only' }]);
const other = shapeOf('other', [{ id: 'only' }]);
const PARTITIONS = 3;

let connection: RedisConnection;
let state: State<PlanShape>;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [plan, other], { partitions: PARTITIONS });
});
afterAll(() => closeConnection(connection));

/** All pages of a list, one after the other. */
async function allPages(query: Omit<RunQuery, 'cursor'>): Promise<{ ids: string[]; pages: number[] }> {
  const ids: string[] = [];
  const pages: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await state.listRuns({ ...query, cursor });
    ids.push(...page.runs.map(({ runId }) => runId));
    pages.push(page.runs.length);
    cursor = page.cursor;
  } while (cursor !== undefined && pages.length < 1000);
  return { ids, pages };
}

/** Puts runs into the index as if they had been created then: what users see of a run's age is in the index alone. */
async function createAt(times: ReadonlyMap<string, number>): Promise<void> {
  await state.createRuns([...times.keys()].map((runId) => requestOf(plan, { runId })));
  for (const [runId, at] of times) {
    for (const [suffix, id] of [
      ['runs', ''],
      ['byWorkflow', 'listed'],
      ['facet', 'n||'],
    ] as const) {
      await connection.client.zadd(stateKey(state.tagOf(runId), suffix, id), 'XX', at, runId);
    }
  }
}

const newestFirst = (times: ReadonlyMap<string, number>) =>
  [...times].sort(([a, at], [b, bt]) => bt - at || (a < b ? 1 : -1)).map(([runId]) => runId);

describe('the list of runs', () => {
  test.each([1, 2, 3, 7, 50])('merges partitions, newest first, in pages of %p', async (limit) => {
    const times = new Map(
      Array.from({ length: 23 }, (_, index) => [`0${index % PARTITIONS}-r${index}`, 1000 + ((index * 7) % 23)]),
    );
    await createAt(times);
    const { ids, pages } = await allPages({ limit });
    expect(ids).toEqual(newestFirst(times));
    expect(Math.max(...pages)).toBeLessThanOrEqual(limit);
  });

  test.each([1, 2, 5])('neither repeats nor leaves out runs of one millisecond, in pages of %p', async (limit) => {
    const times = new Map(
      Array.from({ length: 20 }, (_, index) => [`0${index % PARTITIONS}-r${index}`, index < 17 ? 5000 : 5001]),
    );
    await createAt(times);
    expect((await allPages({ limit })).ids).toEqual(newestFirst(times));
    expect((await allPages({ limit, workflow: 'listed' })).ids).toEqual(newestFirst(times));
  });

  test('finds runs by workflow, tag and status, and together', async () => {
    await state.createRuns([
      requestOf(plan, { runId: '00-a', tags: ['red'] }),
      requestOf(plan, { runId: '01-b', tags: ['red', 'big'] }),
      requestOf(other, { runId: '02-c', tags: ['red'] }),
      requestOf(other, { runId: '00-d' }),
    ]);
    await state.cancelRun('01-b');
    await state.cancelRun('02-c');
    const found = async (query: Omit<RunQuery, 'cursor' | 'limit'>) =>
      (await allPages({ ...query, limit: 3 })).ids.sort();
    expect(await found({ workflow: 'other' })).toEqual(['00-d', '02-c']);
    expect(await found({ tag: 'red' })).toEqual(['00-a', '01-b', '02-c']);
    expect(await found({ status: 'cancelled' })).toEqual(['01-b', '02-c']);
    expect(await found({ status: 'pending' })).toEqual(['00-a', '00-d']);
    expect(await found({ status: 'cancelled', tag: 'red', workflow: 'listed' })).toEqual(['01-b']);
    expect(await found({ tag: 'nobody' })).toEqual([]);
  });

  test('goes on over several pages where few of many runs match', async () => {
    await state.createRuns(
      Array.from({ length: 60 }, (_, index) => requestOf(plan, { runId: `0${index % 3}-r${index}` })),
    );
    await state.cancelRun('01-r31');
    expect((await allPages({ status: 'cancelled', limit: 5 })).ids).toEqual(['01-r31']);
  });

  test('tells of runs without their inputs, and knows no run that is gone', async () => {
    await state.createRuns([requestOf(plan, { runId: '00-a' }), requestOf(plan, { runId: '00-b' })]);
    await connection.client.del(stateKey(state.tagOf('00-a'), 'run', '00-a'));
    const { runs } = await state.listRuns({ limit: 10 });
    expect(runs.map(({ runId }) => runId)).toEqual(['00-b']);
    expect(runs[0]).not.toHaveProperty('input');
    expect(await state.readRun('00-a')).toBeUndefined();
  });

  test.each(['', 'x', Buffer.from('|a').toString('base64url'), Buffer.from('12|').toString('base64url')])(
    'refuses %p as a cursor',
    async (cursor) => {
      await expect(state.listRuns({ limit: 5, cursor })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    },
  );
});
