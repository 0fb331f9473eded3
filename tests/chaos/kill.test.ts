import { setTimeout as pause } from 'node:timers/promises';
import {
  chanceOf,
  findWrongRuns,
  mixedGraph,
  type StartedGraph,
  startGraphs,
  summarizeRecoveries,
} from '@flotilla/chaos';
import { findLeftovers } from '@flotilla/checker';
import {
  eventually,
  type Fleet,
  type FleetMember,
  type RunRecord,
  recordMachineTime,
  startFleet,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findUnjustLosses, MOST_WAIT_MS, waitOf } from './judge-faults.ts';

const full = process.env['FLOTILLA_CHAOS'] === 'full';
const KILLS = full ? 100 : 12;
const RUNS = full ? 200 : 40;
/** So that about a dozen runs are under way at any time. */
const SIZE = full ? 6 : 3;
const chance = chanceOf();
const machine = recordMachineTime();

let fleet: Fleet;
const graphs: StartedGraph[] = [];
const diedAt = new Map<string, number>();
let records: RunRecord[] = [];

/** Kills any process at a random moment and starts another in its place, while runs are being submitted. */
async function wreak(): Promise<void> {
  const restarts: Promise<unknown>[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const batch = Array.from({ length: Math.ceil((RUNS * (kill + 1)) / KILLS) - graphs.length }, () =>
      mixedGraph(chance, SIZE),
    );
    // Submitted beside the kills: schedulers die with requests in their hands.
    const submitted = startGraphs(fleet.api, `kill-${kill}`, batch);
    await pause(chance.between(full ? 700 : 300, full ? 2000 : 1300));
    restarts.push(killAndReplace(chance.pick(await victims())));
    graphs.push(...(await submitted));
  }
  await Promise.all(restarts);
}

/** Anyone but the last of a kind that is ready: with nobody left to take over, 12 s would only measure the restart. */
function victims(): Promise<FleetMember[]> {
  const enough = () => {
    const found = [fleet.schedulers, fleet.workers].flatMap((kind) => (kind.length > 1 ? kind : []));
    return found.length > 0 ? found : undefined;
  };
  return eventually(enough, { timeoutMs: 30_000, message: 'killed processes to be back' });
}

async function killAndReplace(victim: FleetMember): Promise<void> {
  if (victim.kind === 'worker') diedAt.set(victim.id, Date.now());
  await victim.kill9();
  await fleet.replace(victim);
}

beforeAll(async () => {
  process.stdout.write(`kill -9: ${KILLS} kills over ${RUNS} runs, seed ${chance.seed}\n`);
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    schedulers: 2,
    workers: 4,
    workerEnv: { FLOTILLA_CONCURRENCY: '16' },
  });
  await wreak();
  const runIds = graphs.map(({ runId }) => runId);
  await fleet.api.waitForEnd(runIds, { timeoutMs: 60_000 });
  records = await fleet.api.records(runIds);
}, 400_000);
afterAll(async () => {
  machine.stop();
  await fleet.stop();
});

describe('when schedulers and workers are killed at random moments', () => {
  test('G1 every acknowledged run is there', () => {
    expect(records).toHaveLength(RUNS);
  });

  test('G2 G3 G5 G6 every run ends right and each step is committed once', () => {
    expect(findWrongRuns(graphs, records)).toEqual([]);
  });

  test('G10 no step waits more than 12 s after its worker died', () => {
    const { waits, text } = summarizeRecoveries(records, diedAt);
    process.stdout.write(`kill -9: ${diedAt.size} workers killed; ${text}\n`);
    expect(waits.length).toBeGreaterThan(0);
    const isLong = ({ worker, waitedMs }: { worker: string; waitedMs: number }) =>
      !(waitOf(machine, diedAt.get(worker) ?? Number.NaN, waitedMs) <= MOST_WAIT_MS);
    expect(waits.filter(isLong)).toEqual([]);
  });

  test('G11 no living worker loses an attempt', () => {
    const faults = { diedAt, pausedAt: new Map<string, number>() };
    expect(records.flatMap((record) => findUnjustLosses(record, faults))).toEqual([]);
  });

  test('a crash is not charged as an attempt', () => {
    const charged = records.flatMap(({ run, steps }) =>
      steps
        .filter(({ stepId, attempts }) => attempts > (stepId === 'fails' ? 2 : 1))
        .map(({ stepId }) => run.runId + stepId),
    );
    expect(charged).toEqual([]);
  });

  test('no process ends but those that were killed', () => {
    expect(fleet.unexpectedEnds()).toEqual([]);
  });

  test('nothing of the runs is left behind', async () => {
    const left = () => findLeftovers(fleet.redisUrl, fleet.namespace, { tasks: false });
    await eventually(async () => (await left()).length === 0, { timeoutMs: 20_000, intervalMs: 200 }).catch(() => {});
    expect(await left()).toEqual([]);
  }, 30_000);
});

describe('when all schedulers are killed at once', () => {
  const MOST_START_MS = 5000;
  let startedGraphs: StartedGraph[];
  let found: RunRecord[];
  let backAt = 0;
  let lastKillAt = 0;
  beforeAll(async () => {
    startedGraphs = await startGraphs(
      fleet.api,
      'away',
      Array.from({ length: 10 }, () => mixedGraph(chance, SIZE)),
    );
    const schedulers = fleet.schedulers;
    await Promise.all(schedulers.map((scheduler) => scheduler.kill9()));
    lastKillAt = Date.now();
    await Promise.all(
      schedulers.map(async (scheduler) => {
        await fleet.replace(scheduler);
        backAt ||= Date.now();
      }),
    );
    const runIds = startedGraphs.map(({ runId }) => runId);
    await fleet.api.waitForEnd(runIds, { timeoutMs: 60_000 });
    found = await fleet.api.records(runIds);
  }, 120_000);

  test('G1 G2 G6 every run ends right, and no attempt is lost', () => {
    expect(findWrongRuns(startedGraphs, found)).toEqual([]);
    expect(found.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'))).toEqual([]);
  });

  test('G10 a step that waited for a scheduler starts within 5 s of its return', () => {
    const starts = found.flatMap(({ events }) =>
      events.filter(({ type, at }) => type === 'attempt-started' && at > backAt),
    );
    const firstAt = Math.min(...starts.map(({ at }) => at));
    process.stdout.write(
      `no scheduler for ${backAt - lastKillAt} ms; first step ${firstAt - backAt} ms after the return\n`,
    );
    expect(machine.between(backAt, firstAt)).toBeLessThan(MOST_START_MS);
  });
});
