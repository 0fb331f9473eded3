import { closeConnection, connectRedis } from '@flotilla/redis';
import { eventually, type Fleet, type RunRecord, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findWrongRuns, type StartedGraph, startGraphs } from './judge-runs.ts';
import { mixedGraph } from './mixed-graphs.ts';
import { chanceOf } from './random.ts';

const RUNS = 100;
const chance = chanceOf();
const namespace = testNamespace(import.meta.url);

let fleet: Fleet;
let graphs: StartedGraph[];
let records: RunRecord[];
let deleted = 0;

/** What no product code may do: looks for the keys of all task queues, and takes them away. */
async function deleteTaskQueues(): Promise<number> {
  const connection = connectRedis(fleet.redisUrl, 'commands');
  const { client } = connection;
  let cursor = '0';
  let count = 0;
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', `{${namespace}:q:*`, 'COUNT', 1000);
    cursor = next;
    if (keys.length > 0) count += await client.del(...keys);
  } while (cursor !== '0');
  await closeConnection(connection);
  return count;
}

beforeAll(async () => {
  fleet = await startFleet({ namespace, workers: 2, workerEnv: { FLOTILLA_CONCURRENCY: '8' } });
  graphs = await startGraphs(
    fleet.api,
    'tasks',
    Array.from({ length: RUNS }, () => mixedGraph(chance, 3)),
  );
  const runIds = graphs.map(({ runId }) => runId);
  await eventually(async () => (await fleet.api.run(runIds[RUNS / 2]!)).status !== 'pending', {
    message: 'runs to be under way',
  });
  deleted = await deleteTaskQueues();
  await fleet.api.waitForEnd(runIds, { timeoutMs: 120_000 });
  records = await fleet.api.records(runIds);
}, 200_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

describe('when every BullMQ key is deleted in the middle of 100 runs', () => {
  test('keys were deleted', () => {
    process.stdout.write(`lost tasks, seed ${chance.seed}: ${deleted} keys deleted\n`);
    expect(deleted).toBeGreaterThan(10);
  });

  test('G2 G6 all of them finish right', () => {
    expect(findWrongRuns(graphs, records)).toEqual([]);
  });
});
