import { setTimeout as pause } from 'node:timers/promises';
import {
  collectListing,
  collectRuns,
  type FaultEntry,
  findLeftovers,
  judgeRecording,
  type Recording,
  scanRedis,
  type Violation,
  watchAgents,
  watchBreakers,
} from '@flotilla/checker';
import { eventually, within } from '@flotilla/local-fleet';
import { chanceOf } from '../random.ts';
import { findWrongEnd } from '../wrong-end.ts';
import { excuseDrains, withBounds } from './bounds.ts';
import { type FaultId, faultOf, takesAttempts } from './fault-table.ts';
import { mountSmallDisk } from './inject/disk-full.ts';
import { INJECTORS } from './inject/index.ts';
import type { Injury } from './inject/injury.ts';
import { findNotMade } from './not-made.ts';
import { type PlannedFault, planFaults } from './plan-faults.ts';
import { longestStall, recoveriesOf } from './recoveries.ts';
import type { Safeguard } from './safeguards.ts';
import { PROBE_INTERVAL_MS, Scene } from './scene.ts';
import { type LoadOptions, SteadyLoad } from './steady-load.ts';
import { countTreated, type Treated } from './treatments.ts';
import { findUnanswered } from './unanswered.ts';

export interface ChaosOptions {
  seed: number;
  faults: readonly FaultId[];
  /** Those of them that must have come at least once. Default: none. */
  mustCome?: readonly FaultId[];
  /**
   * Warm-up and fault window together; coming to rest and the checks come on top. With `acceptedRuns` the longest it may
   * take.
   */
  durationMs: number;
  workers: number;
  schedulers: number;
  /** Faults are made until so many runs were accepted. Default: until the time is up. */
  acceptedRuns?: number;
  /** Default: mixed graphs, four a worker at a time. */
  load?: Pick<Partial<LoadOptions>, 'activeRuns' | 'runsPerSecond' | 'inBatches' | 'graphOf'>;
  /** Switched off, to see that the checks find what it prevents. */
  without?: Safeguard;
  /** Those of them that the plan begins with. Default: as the seed has it. */
  beginWith?: readonly FaultId[];
  /** Instead of the plan that the seed makes: these, each when the bound of the one before has passed. */
  oneByOne?: readonly PlannedFault[];
  tell?: (line: string) => void;
}

export interface MadeFault extends Injury {
  planned: PlannedFault;
  /** Nothing else was wrong from its beginning until its bound had passed. */
  isAlone: boolean;
  boundMs: number;
  /** One for each step or run that it hit. */
  recoveriesMs: readonly number[];
  /** Why it could not be made. */
  problem?: string;
}

export interface ChaosResult {
  seed: number;
  faults: readonly MadeFault[];
  runs: {
    submitted: number;
    ended: number;
    succeeded: number;
    /** Accepted, not cancelled by a fault, and ended as their definitions say. */
    asPredicted: number;
    /** Accepted, not cancelled by a fault and not lost with Redis. */
    predicted: number;
    lost: number;
    /** Not there either: Redis was killed within 2 s of their being accepted, and had not written them. */
    lostWithRedis: number;
    /** Submitted, and nobody said within a minute that they were accepted. */
    unanswered: number;
    /** Those of them whose runs are lost with Redis. */
    unansweredWithRedis: number;
  };
  /** Of what callers and steps did beside starting and sleeping. */
  treated: Treated;
  doubleCommits: number;
  steps: number;
  refusedCommits: number;
  longestStall: { ms: number; runId: string; afterSeq: number };
  /** What is wrong, a sentence each; none when every promise was kept. */
  problems: readonly string[];
  violations: readonly Violation[];
  /** Runs and everything else that a Redis that was killed had acknowledged and not written, with their ages. */
  lostWithRedis: readonly Violation[];
  recording: Recording;
  /** Process -> the last lines that it wrote. */
  logs: ReadonlyMap<string, readonly string[]>;
}

/** Of the whole time, up to 10 s. */
const WARM_UP_SHARE = 0.1;
const MOST_WARM_UP_MS = 10_000;
/** A run is over seconds after the last fault; what has not ended after this is lost. */
const QUIESCENCE_MS = 120_000;
const AT_REST_MS = 30_000;
const UP_AGAIN_MS = 120_000;
const MOST_INJECTION_MS = 180_000;
/** Beyond the bound, so that a fault that just met it is not taken for one beside the next. */
const BETWEEN_MS = 500;
const LOG_LINES = 2000;
/** Beyond this the recording would not fit into memory. */
const MOST_RUNS = 20_000;

/** Starts a fleet, works and disturbs it, lets it come to rest and checks what it did. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const disk = options.faults.includes('F16') ? await mountSmallDisk() : undefined;
  if (disk !== undefined && 'problem' in disk) throw new Error(disk.problem);
  try {
    const scene = await Scene.start({
      schedulers: options.schedulers,
      workers: options.workers,
      tell: options.tell ?? (() => undefined),
      ...(disk === undefined ? {} : { redisDir: disk.dir }),
      ...(options.without === undefined ? {} : { without: options.without }),
    });
    try {
      return await playOn(scene, options);
    } finally {
      await scene.stop();
    }
  } finally {
    await disk?.unmount();
  }
}

async function playOn(scene: Scene, options: ChaosOptions): Promise<ChaosResult> {
  const { seed, faults, durationMs, workers, acceptedRuns, beginWith = [] } = options;
  const { api } = scene.fleet;
  const load = new SteadyLoad({
    api,
    seed,
    activeRuns: workers * 4,
    mostRuns: acceptedRuns ?? MOST_RUNS,
    ...options.load,
  });
  const over = new AbortController();
  const warmUpMs = Math.min(MOST_WARM_UP_MS, durationMs * WARM_UP_SHARE);
  const windowMs = durationMs - warmUpMs;
  const watches = [
    watchAgents(api, (sighting) => scene.recorder.add('sightings', sighting)),
    watchBreakers(api, (sighting) => scene.recorder.add('breakers', sighting)),
  ];
  load.start();
  if (acceptedRuns !== undefined) void load.enough.then(() => over.abort());
  await pause(warmUpMs);
  const made =
    options.oneByOne === undefined
      ? await makePlanned(
          scene,
          planFaults({ chance: chanceOf(seed), faults, windowMs, workers, beginWith }),
          windowMs,
          over.signal,
        )
      : await makeOneByOne(scene, options.oneByOne);
  await load.stop();
  const isUp = await scene.untilUp(UP_AGAIN_MS);
  scene.tell(`the faults are over; ${load.graphs.length} runs were accepted`);

  const problems: string[] = isUp ? [] : [`not all processes were up again after ${UP_AGAIN_MS} ms`];
  problems.push(...findNotMade(options.mustCome ?? [], made));
  if (load.graphs.length < (acceptedRuns ?? 0)) {
    problems.push(`only ${load.graphs.length} of ${acceptedRuns} runs were accepted in ${durationMs / 60_000} minutes`);
  }
  const known = new Set((await collectListing(api)).runs.map(({ runId }) => runId));
  const runIds = [...new Set([...load.graphs.map(({ runId }) => runId), ...known])];
  const present = runIds.filter((runId) => known.has(runId));
  await api
    .waitForEnd(present, { timeoutMs: QUIESCENCE_MS, intervalMs: 100 })
    .catch((error: Error) => problems.push(error.message));
  scene.tell('all runs have ended, or will not');
  const leftovers = () => findLeftovers(scene.redis.url, scene.namespace, { tasks: false });
  await eventually(async () => (await leftovers()).length === 0, {
    timeoutMs: AT_REST_MS,
    intervalMs: 250,
    message: 'nothing to be left to do',
  }).catch(async () => problems.push(...(await leftovers()).map((left) => `V13 ${left}`)));

  scene.tell('collecting histories');
  await Promise.all(watches.map((watch) => watch.stop()));
  const { recorder } = scene;
  const judged = withBounds(made);
  recorder.addAll('faults', judged.map(faultEntryOf));
  recorder.addAll('processes', excuseDrains(scene.processes(), judged));
  recorder.addAll('runs', await collectRuns(api, present, recorder.recording().calls));
  recorder.add('listings', await collectListing(api));
  const call = scene.admin.call.bind(scene.admin) as (command: string, ...args: string[]) => Promise<unknown>;
  recorder.add('scans', await scanRedis(call, scene.namespace));
  return judge({ seed, scene, load, judged, problems });
}

/**
 * Makes each fault at its time, until the window or everything is over. They may overlap. On a slow machine, where those
 * before have not yet let go of what a fault takes hold of, it and all that come after it are made later.
 */
async function makePlanned(
  scene: Scene,
  plan: readonly PlannedFault[],
  windowMs: number,
  over: AbortSignal,
): Promise<MadeFault[]> {
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  const made: Promise<MadeFault>[] = [];
  let lateMs = 0;
  for (const planned of plan.toSorted((a, b) => a.atMs - b.atMs)) {
    await pauseUnless(over, planned.atMs + lateMs - elapsedMs());
    while (!scene.isFree(faultOf(planned.id).hold) && !over.aborted) await pauseUnless(over, 50);
    if (over.aborted || elapsedMs() > windowMs) break;
    lateMs = Math.max(0, elapsedMs() - planned.atMs);
    made.push(makeFault(scene, planned));
  }
  if (!over.aborted && made.length < plan.length) {
    scene.tell(`the machine was too slow for ${plan.length - made.length} of ${plan.length} faults`);
  }
  const all = await Promise.all(made);
  await pauseUnless(over, windowMs - elapsedMs());
  return all;
}

async function pauseUnless(over: AbortSignal, ms: number): Promise<void> {
  try {
    await pause(Math.max(0, ms), undefined, { signal: over });
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
  }
}

async function makeOneByOne(scene: Scene, plan: readonly PlannedFault[]): Promise<MadeFault[]> {
  const made: MadeFault[] = [];
  for (const planned of plan) {
    made.push(await makeFault(scene, planned));
    await pause(faultOf(planned.id).boundMs + BETWEEN_MS);
  }
  return made;
}

/** Makes one fault; one that hangs is given up. Never rejects: what could not be made is told in the result. */
export async function makeFault(scene: Scene, planned: PlannedFault): Promise<MadeFault> {
  const { id, variant } = planned;
  const title = `fault ${planned.number} ${id} ${faultOf(id).kind}${variant.name === '' ? '' : ` ${variant.name}`}`;
  const begunAt = Date.now();
  const later = { isAlone: true, boundMs: 0, recoveriesMs: [] };
  try {
    const injury = await within(INJECTORS[id](scene, planned), MOST_INJECTION_MS, title);
    scene.tell(`${title}: ${injury.proof.join('; ') || 'NO EFFECT'}`);
    return { planned, ...later, ...injury };
  } catch (error) {
    const problem = (error as Error).message;
    scene.tell(`${title}: NOT MADE: ${problem}`);
    return { planned, ...later, startAt: begunAt, endAt: Date.now(), targets: [], proof: [], problem };
  }
}

export function faultEntryOf({ planned, isAlone, awayMs, unwrittenUntil, ...fault }: MadeFault): FaultEntry {
  const { startAt, endAt, targets, proof } = fault;
  const { kind } = faultOf(planned.id);
  return {
    faultId: `${planned.number} ${planned.id}`,
    // The checker has one bound a kind; what is not that of the table needs a kind of its own.
    kind: isAlone && awayMs === undefined ? kind : `${kind} (number ${planned.number})`,
    startAt,
    endAt,
    targets,
    proof,
    ...(unwrittenUntil === undefined ? {} : { unwrittenUntil }),
  };
}

interface Played {
  seed: number;
  scene: Scene;
  load: SteadyLoad;
  judged: readonly MadeFault[];
  problems: string[];
}

function judge({ seed, scene, load, judged, problems }: Played): ChaosResult {
  const recording = scene.recorder.recording();
  const recoveryMs = Object.fromEntries(judged.map((fault) => [faultEntryOf(fault).kind, fault.boundMs]));
  const { violations, lostWithRedis } = judgeRecording(recording, {
    bounds: {
      recoveryMs,
      // BullMQ gives up the tasks of killed workers after a minute; they are hints, and state does not wait for that.
      tasksMayRemain: true,
      cancelMs: faultOf('F25').boundMs,
      probeIntervalMs: PROBE_INTERVAL_MS,
    },
  });
  const runs = new Map(recording.runs.map((run) => [run.run.runId, run]));
  const excused = new Set(lostWithRedis.flatMap(({ invariant, runId }) => (invariant === 'V1' ? [runId] : [])));
  const missing = load.graphs.filter(({ runId }) => !runs.has(runId));
  const lost = missing.filter(({ runId }) => !excused.has(runId));
  const cancelled = new Set(judged.flatMap((fault) => fault.cancelled ?? []));
  const foreseen = load.graphs.filter(({ runId }) => runs.has(runId) && !cancelled.has(runId));
  const faults = judged.map((fault) => {
    return { ...fault, recoveriesMs: recoveriesOf(fault, recording.runs, takesAttempts(fault.planned.id)) };
  });
  const wrong = foreseen.flatMap(({ runId, graph }) => findWrongEnd(runs.get(runId)!, graph));
  const unanswered = findUnanswered(load.unanswered, lostWithRedis);
  problems.push(
    ...unanswered,
    ...lost.map(({ runId }) => `G1 ${runId} was accepted and is not there`),
    ...wrong,
    ...faults.flatMap(findMissedBounds),
  );
  const all = [...runs.values()];
  const commits = all.flatMap(({ run, events }) =>
    events.filter(({ type }) => type === 'step-succeeded').map(({ stepId }) => `${run.runId} ${stepId}`),
  );
  return {
    seed,
    faults,
    runs: {
      submitted: load.graphs.length,
      ended: all.filter(({ run }) => run.endedAt !== undefined).length,
      succeeded: all.filter(({ run }) => run.status === 'succeeded').length,
      asPredicted: foreseen.length - wrong.length,
      predicted: foreseen.length + lost.length,
      lost: lost.length,
      lostWithRedis: missing.length - lost.length,
      unanswered: load.unanswered.size,
      unansweredWithRedis: load.unanswered.size - unanswered.length,
    },
    treated: countTreated(recording),
    doubleCommits: commits.length - new Set(commits).size,
    steps: commits.length,
    refusedCommits: all.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-rejected')).length,
    longestStall: longestStall(all),
    problems,
    violations,
    lostWithRedis,
    recording,
    logs: new Map(scene.fleet.members.map(({ id, process }) => [id, process.lines.slice(-LOG_LINES)])),
  };
}

function findMissedBounds({ planned, problem, boundMs, recoveriesMs }: MadeFault): string[] {
  const name = `fault ${planned.number} ${planned.id}`;
  if (problem !== undefined) return [`${name} could not be made: ${problem}`];
  const longestMs = Math.max(0, ...recoveriesMs);
  return longestMs > boundMs ? [`G10 what ${name} hit went on after ${longestMs} ms; ${boundMs} are allowed`] : [];
}
