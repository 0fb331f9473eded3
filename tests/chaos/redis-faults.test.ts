import { chanceOf, findWrongRuns, mixedGraph, type StartedGraph, startGraphs } from '@flotilla/chaos';
import { findLeftovers } from '@flotilla/checker';
import { queuePrefix } from '@flotilla/queue';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  type LocalRedis,
  type RunRecord,
  recordMachineTime,
  startFleet,
  startRedis,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const RUNS = 100;
const RUNS_MS = 60_000;
/** A dispatched step is looked at again after 5 s. */
const MOST_GAP_MS = 8000;
const MOST_START_MS = 5000;
const chance = chanceOf();
const machine = recordMachineTime();

/** A single server of its own: it is killed, frozen and emptied. It writes before it answers: all that was acknowledged has to be there. */
let redis: LocalRedis;
let fleet: Fleet;
beforeAll(async () => {
  process.stdout.write(`Redis faults: seed ${chance.seed}\n`);
  redis = await startRedis({ args: ['--appendfsync', 'always'] });
  fleet = await startFleet({
    redis,
    namespace: testNamespace(import.meta.url),
    schedulers: 2,
    workers: 3,
    workerEnv: { FLOTILLA_CONCURRENCY: '32' },
  });
}, 90_000);
afterAll(async () => {
  machine.stop();
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await redis.stop();
  expect(ends).toEqual([]);
});

interface Disturbed {
  graphs: StartedGraph[];
  records: RunRecord[];
}

/** Starts 100 runs, does something to Redis when a part of them has ended, and waits for all. */
async function disturb(prefix: string, deed: () => Promise<void>): Promise<Disturbed> {
  const graphs = await startGraphs(
    fleet.api,
    prefix,
    Array.from({ length: RUNS }, () => mixedGraph(chance, 2)),
  );
  const runIds = graphs.map(({ runId }) => runId);
  await eventually(() => hasEndedRuns(prefix), { timeoutMs: RUNS_MS, message: 'the first of the runs to end' });
  await deed();
  await fleet.api.waitForEnd(runIds, { timeoutMs: RUNS_MS });
  return { graphs, records: await fleet.api.records(runIds) };
}

async function hasEndedRuns(prefix: string): Promise<boolean> {
  const { runs } = await fleet.api.get<{ runs: { runId: string }[] }>('/v1/runs?status=succeeded&limit=500');
  return runs.some(({ runId }) => runId.startsWith(`${prefix}-`));
}

const eventsOf = (records: readonly RunRecord[], type: string) =>
  records.flatMap(({ events }) => events.filter((event) => event.type === type));

/** Steps that were charged more attempts than they failed on purpose. */
const chargedSteps = (records: readonly RunRecord[]) =>
  records.flatMap(({ run, steps }) =>
    steps
      .filter(({ stepId, attempts }) => attempts > (stepId === 'fails' ? 2 : 1))
      .map(({ stepId }) => `${run.runId} ${stepId}`),
  );

describe('when every BullMQ key is deleted in the middle of 100 runs', () => {
  let disturbed: Disturbed;
  let deleted = 0;
  beforeAll(async () => {
    disturbed = await disturb('vandal', async () => {
      deleted = await deleteTasks();
    });
  }, 120_000);

  test('G2 G3 G5 G6 every run ends right', () => {
    expect(deleted).toBeGreaterThan(0);
    expect(findWrongRuns(disturbed.graphs, disturbed.records)).toEqual([]);
  });

  test('no attempt is lost or charged', () => {
    expect(eventsOf(disturbed.records, 'attempt-lost')).toEqual([]);
    expect(chargedSteps(disturbed.records)).toEqual([]);
  });

  test('steps whose task was lost start again within seconds', () => {
    const starts = eventsOf(disturbed.records, 'attempt-started').map(({ at }) => at);
    expect(longestGapMs(starts)).toBeLessThan(MOST_GAP_MS);
  });
});

describe('when Redis is killed in the middle of 100 runs and started again', () => {
  let disturbed: Disturbed;
  let killedAt = 0;
  let backAt = 0;
  beforeAll(async () => {
    disturbed = await disturb('restart', async () => {
      killedAt = Date.now();
      await redis.kill9();
      await redis.restart();
      backAt = Date.now();
    });
  }, 120_000);

  test('G1 G2 G3 G5 G6 every acknowledged run is there and ends right', () => {
    expect(findWrongRuns(disturbed.graphs, disturbed.records)).toEqual([]);
  });

  test('G10 the first new step starts within 5 s of its return', () => {
    const starts = eventsOf(disturbed.records, 'attempt-started').filter(({ at }) => at > killedAt);
    const firstAt = Math.min(...starts.map(({ at }) => at));
    process.stdout.write(
      `Redis restart: away for ${backAt - killedAt} ms, first new step ${firstAt - backAt} ms after its return\n`,
    );
    expect(machine.between(backAt, firstAt)).toBeLessThan(MOST_START_MS);
  });

  test('no attempt of a living worker is lost or charged', () => {
    expect(eventsOf(disturbed.records, 'attempt-lost')).toEqual([]);
    expect(chargedSteps(disturbed.records)).toEqual([]);
  });

  test('nothing is left behind', async () => {
    const left = () => findLeftovers(redis.url, fleet.namespace, { tasks: false });
    await eventually(async () => (await left()).length === 0, { timeoutMs: 15_000, intervalMs: 200 }).catch(() => {});
    expect(await left()).toEqual([]);
  }, 20_000);
});

/** Deletes all keys of the task queues, and nothing else; gives how many there were. */
async function deleteTasks(): Promise<number> {
  const connection = connectRedis(redis.url, 'commands');
  try {
    await untilReady(connection, 60_000);
    // This Redis is the test's own and small: what no product code may do is fine here.
    const keys = await connection.client.keys(`${queuePrefix(fleet.namespace, 'default')}*`);
    return keys.length === 0 ? 0 : await connection.client.del(...keys);
  } finally {
    await closeConnection(connection);
  }
}

function longestGapMs(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.max(...sorted.map((time, index) => machine.between(sorted[index - 1] ?? time, time)));
}
