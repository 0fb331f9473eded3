import { setTimeout as pause } from 'node:timers/promises';
import { chanceOf, findWrongRuns, mixedGraph, type StartedGraph, startGraphs } from '@flotilla/chaos';
import { findLeftovers } from '@flotilla/checker';
import { closeConnection, connectRedis } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  mapInTurn,
  type RedisCluster,
  type RunRecord,
  startCluster,
  startFleet,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/**
 * On a Cluster one master can be away while the others serve: transitions of some partitions wait then, and those of others
 * are made. No master has a replica here, so what is away comes back with its data, or never.
 */

const RUNS = 40;
/** Longer than a lease: whoever were thought dead by then would lose its attempts. */
const FROZEN_MS = 11_000;
/** Steps that are under way when the master is frozen, and when it is back. */
const LONG_STEPS = 12;
const LONG_STEP_MS = FROZEN_MS + 3000;
const RUNS_MS = 60_000;
const chance = chanceOf();

let cluster: RedisCluster;
let fleet: Fleet;
beforeAll(async () => {
  process.stdout.write(`Cluster faults: seed ${chance.seed}\n`);
  // All that was acknowledged has to be there again; and the others go on serving, however long one is frozen.
  cluster = await startCluster({ args: ['--appendfsync', 'always', '--cluster-node-timeout', '60000'] });
  fleet = await startFleet({
    redis: cluster,
    namespace: testNamespace(import.meta.url),
    schedulers: 2,
    workers: 2,
    workerEnv: { FLOTILLA_CONCURRENCY: '64' },
  });
}, 120_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await cluster.stop();
  expect(ends).toEqual([]);
});

interface Disturbed {
  graphs: StartedGraph[];
  records: RunRecord[];
}

/** Starts runs, some of them of one long step, does something to the Cluster while these are under way, and waits for all. */
async function disturb(prefix: string, longStepMs: number, deed: () => Promise<void>): Promise<Disturbed> {
  const long = await mapInTurn(Array.from({ length: LONG_STEPS }), 4, async (_, index) => {
    const only = { kind: 'task', use: 'flotilla.sleep', input: { ms: longStepMs } };
    const definition = { flotilla: 1, name: 'long', steps: { only } };
    return (await fleet.api.start({ definition, runId: `${prefix}-long-${index}` })).runId;
  });
  for (const runId of long) await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
  const graphs = await startGraphs(
    fleet.api,
    prefix,
    Array.from({ length: RUNS }, () => mixedGraph(chance, 2)),
  );
  await deed();
  const runIds = graphs.map(({ runId }) => runId);
  await fleet.api.waitForEnd([...runIds, ...long], { timeoutMs: RUNS_MS });
  const longRecords = await fleet.api.records(long);
  expect(longRecords.filter(({ run }) => run.status !== 'succeeded')).toEqual([]);
  expect(eventsOf(longRecords, 'attempt-started')).toHaveLength(LONG_STEPS);
  return { graphs, records: [...(await fleet.api.records(runIds)), ...longRecords] };
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

/** Asks a node for a heartbeat; the connection ends by itself when it has come. */
function answerOf(url: string): { isThere: boolean } {
  const answer = { isThere: false };
  const connection = connectRedis(url, 'commands');
  void connection.client
    .call('PING')
    .then(() => {
      answer.isThere = true;
    })
    .catch(() => undefined)
    .finally(() => closeConnection(connection));
  return answer;
}

describe('when the masters of a Cluster are killed and started again, one after the other', () => {
  let disturbed: Disturbed;
  beforeAll(async () => {
    disturbed = await disturb('killed', 5000, async () => {
      for (const node of cluster.nodes) {
        const before = node.pid();
        await node.kill9();
        await node.restart();
        if (node.pid() === before) throw new Error('a master was not killed');
      }
    });
  }, 180_000);

  test('every run ends right', () => {
    expect(findWrongRuns(disturbed.graphs, disturbed.records.slice(0, RUNS))).toEqual([]);
  });

  test('no attempt is lost or charged', () => {
    expect(eventsOf(disturbed.records, 'attempt-lost')).toEqual([]);
    expect(chargedSteps(disturbed.records)).toEqual([]);
  });
});

// Each has something else: the task queue is one's, the record of the deployment one's.
describe.each([0, 1, 2])('when master %i of a Cluster is frozen for longer than a lease', (master) => {
  let disturbed: Disturbed;
  let frozenAt = 0;
  beforeAll(async () => {
    disturbed = await disturb(`frozen-${master}`, LONG_STEP_MS, async () => {
      const node = cluster.nodes[master]!;
      frozenAt = Date.now();
      node.pause();
      try {
        const answer = answerOf(node.url);
        await pause(FROZEN_MS);
        // It hit: who asked at its beginning has waited until now.
        expect(answer.isThere).toBe(false);
      } finally {
        node.resume();
      }
    });
    const startedMs = eventsOf(disturbed.records, 'attempt-started').map(({ at }) => at - frozenAt);
    const meanwhile = startedMs.filter((ms) => ms > 0 && ms < FROZEN_MS).sort((a, b) => a - b);
    process.stdout.write(
      `Cluster: master ${master} frozen for ${FROZEN_MS} ms: ${meanwhile.length} attempts began meanwhile, ` +
        `half of them within ${meanwhile[meanwhile.length >> 1] ?? 0} ms, the last after ${meanwhile.at(-1) ?? 0} ms\n`,
    );
  }, 180_000);

  test('every run ends right, and waits for no longer than the master was away', () => {
    const bounds = { timerLateMs: FROZEN_MS + 2000 };
    expect(findWrongRuns(disturbed.graphs, disturbed.records.slice(0, RUNS), bounds)).toEqual([]);
  });

  test('no attempt is lost or charged', () => {
    expect(eventsOf(disturbed.records, 'attempt-lost')).toEqual([]);
    expect(chargedSteps(disturbed.records)).toEqual([]);
  });
});

test('nothing is left behind', async () => {
  const left = () => findLeftovers(cluster.url, fleet.namespace, { tasks: false });
  await eventually(async () => (await left()).length === 0, { timeoutMs: 15_000, intervalMs: 200 }).catch(() => {});
  expect(await left()).toEqual([]);
}, 20_000);
