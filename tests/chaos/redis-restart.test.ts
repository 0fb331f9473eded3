import {
  eventually,
  type Fleet,
  type LocalRedis,
  type RunRecord,
  startFleet,
  startRedis,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findWrongRuns, type StartedGraph, startGraphs } from './judge-runs.ts';
import { mixedGraph } from './mixed-graphs.ts';
import { chanceOf } from './random.ts';

const RUNS = 100;
const MOST_PAUSE_MS = 5000;
const chance = chanceOf();

let redis: LocalRedis;
let fleet: Fleet;
let graphs: StartedGraph[];
let records: RunRecord[];
let backAt = 0;

beforeAll(async () => {
  redis = await startRedis();
  fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url), schedulers: 2, workers: 3 });
  graphs = await startGraphs(
    fleet.api,
    'restart',
    Array.from({ length: RUNS }, () => mixedGraph(chance, 3)),
  );
  const runIds = graphs.map(({ runId }) => runId);
  await eventually(async () => (await fleet.api.run(runIds[RUNS - 1]!)).status !== 'pending', {
    message: 'runs to be under way',
  });
  await redis.kill9();
  await redis.restart();
  backAt = Date.now();
  await fleet.api.waitForEnd(runIds, { timeoutMs: 90_000 });
  records = await fleet.api.records(runIds);
}, 200_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await redis.stop();
  expect(ends).toEqual([]);
});

describe('when Redis is killed and started again in the middle of 100 runs', () => {
  test('G1 G6 all of them finish right', () => {
    expect(findWrongRuns(graphs, records)).toEqual([]);
  });

  test('G10 the first new step starts within 5 s of its return', () => {
    const starts = records.flatMap(({ events }) =>
      events.filter(({ type, at }) => type === 'attempt-started' && at >= backAt),
    );
    const firstAt = Math.min(...starts.map(({ at }) => at));
    process.stdout.write(`Redis restart, seed ${chance.seed}: first step ${firstAt - backAt} ms after its return\n`);
    expect(firstAt - backAt).toBeLessThanOrEqual(MOST_PAUSE_MS);
  });
});
