import { setTimeout as pause } from 'node:timers/promises';
import { checkRecording, EMPTY_RECORDING, findLeftovers, scanRedis, type Violation } from '@flotilla/checker';
import { eventually, ownModule } from '@flotilla/local-fleet';
import { excuseDrains, withBounds } from '../driver/bounds.ts';
import type { FaultId } from '../driver/fault-table.ts';
import { type MadeFault, makeFault } from '../driver/run-chaos.ts';
import { Scene } from '../driver/scene.ts';
import { chanceOf } from '../random.ts';
import { HistoryWatch } from './history-watch.ts';
import { PacedLoad } from './paced-load.ts';
import { type RedisSample, sampleRedis } from './redis-sample.ts';
import { Sampler, type Series } from './sampler.ts';
import { planSoakFaults, type SoakTimes, soakTimes } from './soak-plan.ts';
import { findStrayKeys } from './stray-keys.ts';

export interface SoakOptions {
  seed: number;
  /** All together but coming to rest and checking. */
  durationMs: number;
  faults: readonly FaultId[];
  /** One of them is spared by all faults, so at least three. */
  workers: number;
  schedulers: number;
  /** The canary: each run makes its worker keep so many bytes. 0: none. */
  leakBytesARun: number;
  tell: (line: string) => void;
}

export interface SoakResult {
  options: Omit<SoakOptions, 'tell'>;
  times: SoakTimes;
  /** Runs a second that ended while as many were under way as the fleet has room for. */
  capacityPerSecond: number;
  /** Half of it. */
  pacePerSecond: number;
  runs: { accepted: number; ended: number; checked: number; heldBack: number; unanswered: readonly string[] };
  /** Runs that ended while it was measured, and how long that took. */
  measured: { runs: number; measuredMs: number; fromAt: number; untilAt: number };
  steps: number;
  doubleCommits: number;
  longestRecoveryMs: number;
  faults: readonly MadeFault[];
  series: Series;
  /** Redis before the first run, and when all had been removed; undefined when it did not answer. */
  atRest: { before: RedisSample | undefined; after: RedisSample | undefined };
  strayKeys: readonly string[];
  problems: readonly string[];
  violations: readonly Violation[];
  /** What a Redis that was killed had acknowledged and not written, with its age: no violation. */
  lostWithRedis: readonly Violation[];
  /** Process -> the last lines that it wrote. */
  logs: ReadonlyMap<string, readonly string[]>;
}

const LOG_LINES = 2000;
const HANDLERS = ownModule('../handlers/soak-handlers', import.meta.url);
/** Slots of a worker, as the scene starts them. */
const SLOTS = 16;
/** Of runs, for each slot: the shapes keep about two slots busy each, so this is more than there is room for. */
const RUNS_A_SLOT = 1.5;
/** What a cold fleet does says nothing. */
const RUNS_BEFORE_MEASURING = 30;
const FIRST_RUNS_MS = 120_000;
const PACE_SHARE = 0.5;
/**
 * What may be under way: a run lasts two or three seconds. Where others have taken the machine since the fleet was measured,
 * it must not be buried under what it cannot do any more: steps that wait in a queue tell nothing about leaks.
 */
const MOST_OPEN_SECONDS = 6;
const QUIESCENCE_MS = 120_000;
const AT_REST_MS = 60_000;
const PRUNED_SLACK_MS = 60_000;
const UP_AGAIN_MS = 120_000;
const TELL_EVERY_MS = 60_000;

/** Works a fleet at half of what it can do for a long time, with a fault now and then, and measures what grows. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const times = soakTimes(options.durationMs);
  const sampler = await Sampler.open(times.sampleEveryMs);
  try {
    const retention = String(Math.round(times.retentionMs));
    const scene = await Scene.start({
      schedulers: options.schedulers,
      workers: options.workers,
      handlers: HANDLERS,
      nodeArgs: sampler.nodeArgs,
      env: { ...sampler.env, FLOTILLA_RETENTION_MS: retention, FLOTILLA_IDEMPOTENCY_TTL_MS: retention },
      tell: options.tell,
    });
    try {
      await sampler.start(scene);
      return await soak(scene, sampler, options, times);
    } finally {
      await scene.stop();
    }
  } finally {
    await sampler.close();
  }
}

async function soak(scene: Scene, sampler: Sampler, options: SoakOptions, times: SoakTimes): Promise<SoakResult> {
  const { seed, leakBytesARun, workers, tell } = options;
  const { api } = scene.fleet;
  const made: MadeFault[] = [];
  let disturbances = 0;
  const load = new PacedLoad({ api, url: () => scene.fleet.url, seed, leakBytes: leakBytesARun });
  const isDisturbed = () => disturbances > 0;
  const watch = new HistoryWatch({
    api,
    recorder: scene.recorder,
    load,
    made,
    processes: () => scene.processes(),
    tell,
    isDisturbed,
  });
  watch.start();
  const before = await sampleRedis(scene.admin);

  load.start({ active: Math.ceil(workers * SLOTS * RUNS_A_SLOT) });
  await pause(times.measureCapacityMs / 2);
  await eventually(() => Promise.resolve(load.ended >= RUNS_BEFORE_MEASURING), {
    timeoutMs: FIRST_RUNS_MS,
    message: 'the first runs to end',
  }).catch((error: Error) => {
    const why = watch.lastFailure ?? load.unanswered[0] ?? 'the fleet is too slow here';
    throw new Error(`${error.message}; ${load.ended} of ${load.accepted} have: ${why}`, { cause: error });
  });
  const capacityPerSecond = await endedPerSecond(load, times.measureCapacityMs / 2);
  const pacePerSecond = capacityPerSecond * PACE_SHARE;
  tell(
    `the fleet ends ${capacityPerSecond.toFixed(1)} runs a second; from now on ${pacePerSecond.toFixed(1)} are started`,
  );
  load.start({ perSecond: pacePerSecond, mostOpen: Math.max(6, pacePerSecond * MOST_OPEN_SECONDS) });
  const progress = setInterval(() => {
    tell(
      `${load.ended} of ${load.accepted} runs have ended, ${watch.checked} are checked, ${watch.violations.length} violations`,
    );
  }, TELL_EVERY_MS);
  await pause(times.settleMs);

  // Faults leave the last worker alone: it and the schedulers live from the beginning to the end.
  const sparedSlot = scene.workers.at(-1)!;
  sparedSlot.isHeld = true;
  const spared = sparedSlot.member?.id;
  const plan = planSoakFaults({ chance: chanceOf(seed), faults: options.faults, times, workers: workers - 1 });
  const [fromAt, endedBefore, startedAt] = [Date.now(), load.ended, performance.now()];
  const until = (ms: number) => pause(Math.max(0, ms - (performance.now() - startedAt)));
  for (const planned of plan) {
    await until(planned.atMs);
    disturbances += 1;
    made.push(await makeFault(scene, planned));
    disturbances -= 1;
  }
  await until(times.measureMs);
  const untilAt = Date.now();
  const measured = { runs: load.ended - endedBefore, measuredMs: untilAt - fromAt, fromAt, untilAt };
  clearInterval(progress);

  await load.stop();
  if (!(await scene.untilUp(UP_AGAIN_MS))) throw new Error(`not all processes were up again after ${UP_AGAIN_MS} ms`);
  await watch.finish(QUIESCENCE_MS);
  const series = sampler.read(scene, spared);
  tell('all runs have ended, or will not; waiting until they are removed');
  const problems = [...watch.problems, ...(await findRemains(scene, times))];
  const judged = withBounds(made);
  const processes = excuseDrains(scene.processes(), judged);
  const violations = [...watch.violations, ...checkRecording({ ...EMPTY_RECORDING, processes })];
  return {
    options: { ...options },
    times,
    capacityPerSecond,
    pacePerSecond,
    runs: {
      accepted: load.accepted,
      ended: load.ended,
      checked: watch.checked,
      heldBack: load.heldBack,
      unanswered: load.unanswered,
    },
    measured,
    steps: watch.steps,
    doubleCommits: watch.doubleCommits,
    longestRecoveryMs: Math.max(0, ...watch.recoveriesMs),
    faults: judged,
    series,
    atRest: { before, after: await sampleRedis(scene.admin) },
    strayKeys: await strayKeysOf(scene),
    problems,
    violations,
    lostWithRedis: watch.lostWithRedis,
    logs: new Map(scene.fleet.members.map(({ id, process }) => [id, process.lines.slice(-LOG_LINES)])),
  };
}

async function endedPerSecond(load: PacedLoad, forMs: number): Promise<number> {
  const [before, startedAt] = [load.ended, performance.now()];
  await pause(forMs);
  return ((load.ended - before) * 1000) / (performance.now() - startedAt);
}

/** What is left to do although all runs have ended, and runs that are not removed although their time is over. */
async function findRemains(scene: Scene, { retentionMs }: SoakTimes): Promise<string[]> {
  const problems: string[] = [];
  const leftovers = () => findLeftovers(scene.redis.url, scene.namespace, { tasks: false });
  const atRest = { timeoutMs: AT_REST_MS, intervalMs: 500, message: 'nothing to be left to do' };
  await eventually(async () => (await leftovers()).length === 0, atRest).catch(async () => {
    problems.push(...(await leftovers()).map((left) => `V13 ${left}`));
  });
  const runs = async () => (await scene.fleet.api.get<{ runs: unknown[] }>('/v1/runs?limit=1')).runs.length;
  const pruned = { timeoutMs: retentionMs * 1.2 + PRUNED_SLACK_MS, intervalMs: 500, message: 'all runs to be removed' };
  await eventually(async () => (await runs()) === 0, pruned).catch((error: Error) => problems.push(error.message));
  return problems;
}

async function strayKeysOf(scene: Scene): Promise<string[]> {
  const send = scene.admin.call.bind(scene.admin) as (command: string, ...args: string[]) => Promise<unknown>;
  return findStrayKeys(send, await scanRedis(send, scene.namespace), scene.taskQueues);
}
