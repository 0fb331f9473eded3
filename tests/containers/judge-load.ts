import { chanceOf, findWrongRuns, type MixedGraph, SteadyLoad, startGraphs } from '@flotilla/chaos';
import { type Bounds, checkRecording, collectListing, collectRuns, explain, scanRedis } from '@flotilla/checker';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import { eventually, type RunRecord } from '@flotilla/testing';
import { findUnjustLosses } from '../chaos/judge-faults.ts';
import type { ContainerFleet } from './container-fleet.ts';

export interface Judgement {
  records: readonly RunRecord[];
  /** Wrong ends, broken invariants, attempts taken from workers that nothing was done to: none when all is right. */
  problems: readonly string[];
}

interface LoadUnderFault {
  /** What run ids begin with. */
  name: string;
  /** So many runs are kept under way. */
  activeRuns: number;
  bounds?: Bounds;
  /** What is done to the fleet meanwhile. */
  deed: (load: SteadyLoad) => Promise<void>;
}

const FIRST_RUNS_MS = 60_000;
const REST_MS = 90_000;

/**
 * Keeps runs under way while something is done to the fleet, waits until all have ended, and judges them: by what they
 * must give, and by every invariant of the checker.
 */
export async function judgeUnderLoad(
  fleet: ContainerFleet,
  { name, activeRuns, bounds = {}, deed }: LoadUnderFault,
): Promise<Judgement> {
  const { seed } = chanceOf();
  const load = new SteadyLoad({ api: fleet.api, seed, activeRuns, prefix: name, mostRuns: 1000, effects: false });
  load.start();
  try {
    await eventually(() => load.graphs.length >= activeRuns, { timeoutMs: FIRST_RUNS_MS, message: 'runs under way' });
    await deed(load);
  } finally {
    await load.stop();
  }
  const { recorder, api } = fleet;
  const runIds = load.graphs.map(({ runId }) => runId);
  await api.waitForEnd(runIds, { timeoutMs: REST_MS, intervalMs: 100 });
  const records = await collectRuns(api, runIds, recorder.recording().calls);
  recorder.addAll('runs', records);
  recorder.add('listings', await collectListing(api));
  process.stdout.write(`${name}: ${records.length} runs, seed ${seed}\n`);
  return {
    records,
    problems: [
      ...[...load.unanswered].map(([runId, why]) => `${runId} was not accepted: ${why}`),
      ...findWrongRuns(load.graphs, records),
      ...records.flatMap((record) => findUnjustLosses(record, fleet)),
      // BullMQ gives up tasks of killed workers after a minute; they are hints, and state does not wait for that.
      ...(await findBrokenInvariants(fleet, { ...bounds, tasksMayRemain: true })),
      ...(await fleet.unexpectedEnds()),
    ],
  };
}

const LONG_STEPS = 10;
const LONG_STEP_MS = 4000;

/** Adds runs of one long step to a load and waits until a worker holds some of them: so that a fault has what to hit. */
export async function giveLongSteps(
  { api }: ContainerFleet,
  load: SteadyLoad,
  { name, worker }: { name: string; worker: string },
): Promise<void> {
  const graphs = Array.from({ length: LONG_STEPS }, (_, n): MixedGraph => {
    const steps = { long: { kind: 'task', use: 'flotilla.sleep', input: { ms: LONG_STEP_MS } } };
    const definition = { flotilla: 1 as const, name: 'long', steps, output: '${{ run.input.n }}' };
    return { shape: 'long', definition, input: { n }, output: n };
  });
  const started = await startGraphs(api, `${name}-long`, graphs);
  load.graphs.push(...started);
  const isHeld = async () => {
    const histories = await Promise.all(started.map(({ runId }) => api.history(runId)));
    return histories.some((events) => events.at(-1)?.type === 'attempt-started' && events.at(-1)?.worker === worker);
  };
  await eventually(isHeld, { timeoutMs: LONG_STEP_MS, intervalMs: 20, message: `${worker} to hold a long step` });
}

/** By everything that was recorded, and by what is left in Redis. */
async function findBrokenInvariants(fleet: ContainerFleet, bounds: Bounds): Promise<string[]> {
  const connection = connectRedis(await fleet.redisUrl(), 'commands');
  try {
    await untilReady(connection, 10_000);
    const { client } = connection;
    const judge = async () => {
      const scan = await scanRedis((command, ...args) => client.call(command, ...args), fleet.namespace);
      return checkRecording({ ...fleet.recorder.recording(), scans: [scan] }, { bounds });
    };
    // What ended runs leave is put away within seconds. Whatever is still wrong then is told below.
    const clean = async () => (await judge()).length === 0;
    await eventually(clean, { timeoutMs: 20_000, intervalMs: 500 }).catch(() => undefined);
    const violations = await judge();
    return violations.length === 0 ? [] : [explain(violations)];
  } finally {
    await closeConnection(connection);
  }
}
