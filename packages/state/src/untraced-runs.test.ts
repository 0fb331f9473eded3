import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState } from './testing/state-for-tests.ts';

const plan = shapeOf('traced', [{ id: 'only' }]);
const HOUR_MS = 3_600_000;
const OPTIONS = { limit: 2, lagMs: 1000, againInMs: HOUR_MS, maxAgeMs: HOUR_MS };

let connection: RedisConnection;
let state: State<PlanShape>;
let tag: string;
let now: number;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 5000);
});
beforeEach(async () => {
  state = createTestState(connection.client, testNamespace(import.meta.url), [plan], { partitions: 1 });
  tag = state.tags[0]!;
  const [seconds] = await connection.client.time();
  now = Number(seconds) * 1000;
  // Somebody exports since ten minutes ago.
  await connection.client.zadd(stateKey(tag, 'untraced'), now - 600_000, '|');
});
afterAll(() => closeConnection(connection));

/** As a run leaves it that ended so long ago. */
const ended = (runId: string, agoMs: number) => connection.client.zadd(stateKey(tag, 'ended'), now - agoMs, runId);
const take = (options = {}) => state.transitions.takeUntraced(tag, { ...OPTIONS, ...options });
const offerAgain = async () => {
  for (const id of await connection.client.zrange(stateKey(tag, 'untraced'), '0', '-1')) {
    if (id !== '|') await connection.client.zadd(stateKey(tag, 'untraced'), 1, id);
  }
};

describe('ended runs whose span has yet to be exported', () => {
  test('are given to one taker, in the order in which they ended, a portion at a time', async () => {
    for (const [index, agoMs] of [50_000, 40_000, 30_000].entries()) await ended(`run-${index}`, agoMs);
    expect(await take()).toEqual(['run-0', 'run-1']);
    expect(await take()).toEqual(['run-2']);
    expect(await take()).toEqual([]);
  });

  test('are given again until their taker says that it has exported them', async () => {
    await ended('kept', 50_000);
    await ended('done', 40_000);
    await take();
    await state.transitions.endTraces(tag, ['done']);
    await offerAgain();
    expect(await take()).toEqual(['kept']);
  });

  test('are all given when more of them ended in one millisecond than a portion has', async () => {
    const ids = Array.from({ length: 7 }, (_, index) => `run-${index}`);
    for (const id of ids) await ended(id, 50_000);
    const taken: string[] = [];
    for (let calls = 0; calls < 5; calls += 1) taken.push(...(await take()));
    expect(taken.sort()).toEqual(ids);
  });

  test('that ended within the lag wait for a later call', async () => {
    await ended('late', -5000);
    expect(await take()).toEqual([]);
  });

  test('that ended longer ago than the maximum age are left out', async () => {
    await ended('old', 300_000);
    await ended('new', 30_000);
    expect(await take({ maxAgeMs: 60_000 })).toEqual(['new']);
  });

  test('of the time before anybody exported are left out', async () => {
    await connection.client.del(stateKey(tag, 'untraced'));
    await ended('before', 30_000);
    expect(await take()).toEqual([]);
  });

  test('are ended without naming any', async () => {
    await state.transitions.endTraces(tag, []);
    expect(await take()).toEqual([]);
  });
});
