import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chanceOf, type StartedGraph, SteadyLoad } from '@flotilla/chaos';
import { collectRuns, processesOf, Recorder, type Recording, recordCalls } from '@flotilla/checker';
import {
  eventually,
  FAR_ADDRESS,
  type Fleet,
  FleetApi,
  type FleetMember,
  type SplitSentinel,
  startFleet,
  startSplitSentinel,
} from '@flotilla/testing';
import { type Loss, SubmissionProbe } from './submission-probe.ts';

export interface SplitBrainOptions {
  seed: number;
  namespace: string;
  /** Seconds for which a primary goes on without a replica; undefined: for ever. */
  maxLagSeconds: number | undefined;
}

export interface SplitBrain {
  splitAt: number;
  healedAt: number;
  /** From the split until the far side had a primary of its own. */
  promotedAfterMs: number;
  /** From the end of the split until the near side had a submission acknowledged that lasted. */
  recoveredAfterMs: number;
  fast: Loss;
  replicated: Loss;
  /** Runs of the load that are there in the end. */
  present: readonly StartedGraph[];
  recording: Recording;
  /** Process id -> its last lines. */
  logs: ReadonlyMap<string, readonly string[]>;
}

export const SPLIT_MS = 15_000;
const BEFORE_MS = 6000;
const AFTER_MS = 20_000;
/** Begun before the split, over when it is: its first result comes from a worker that everybody has given up. */
const LONG_STEP_MS = 18_000;
const LONG_RUNS = 9;
const FAR_SIDE = fileURLToPath(new URL('./fixtures/from-far-side.ts', import.meta.url));

/**
 * F11: splits a Sentinel set for 15 s with the primary, a scheduler, two workers and all callers on the side of the
 * minority, and a scheduler and a worker on the other; then lets everything come to rest.
 */
export async function makeSplitBrain({ seed, namespace, maxLagSeconds }: SplitBrainOptions): Promise<SplitBrain> {
  const args =
    maxLagSeconds === undefined
      ? []
      : ['--min-replicas-to-write', '1', '--min-replicas-max-lag', String(maxLagSeconds)];
  const set = await startSplitSentinel({ args });
  let fleet: Fleet | undefined;
  try {
    const recorder = new Recorder();
    fleet = await startFleet({
      redis: set,
      namespace,
      schedulers: 1,
      workers: 2,
      workerEnv: { FLOTILLA_CONCURRENCY: '16' },
      fetch: recordCalls((call) => recorder.add('calls', call)),
    });
    return await split({ seed, set, fleet, recorder });
  } finally {
    await fleet?.stop();
    await set.stop();
  }
}

interface Parts {
  seed: number;
  set: SplitSentinel;
  fleet: Fleet;
  recorder: Recorder;
}

async function split({ seed, set, fleet, recorder }: Parts): Promise<SplitBrain> {
  const chance = chanceOf(seed);
  const near = [...fleet.members];
  const nearUrl = fleet.url;
  const onFarSide = { NODE_OPTIONS: `--import=${FAR_SIDE}`, FLOTILLA_TEST_SOURCE_ADDRESS: FAR_ADDRESS };
  await Promise.all([fleet.addScheduler(onFarSide), fleet.addWorker(onFarSide)]);
  await fleet.waitForWorkers(3);

  const callNear = recordCalls((call) => recorder.add('calls', call));
  const load = new SteadyLoad({
    api: new FleetApi(() => [nearUrl], callNear),
    seed,
    activeRuns: 10,
    mostRuns: 3000,
    effects: false,
    durabilityOf: (index) => (index % 2 === 0 ? 'replicated' : 'fast'),
  });
  // Each sent once, unrecorded: what it was answered is all that counts.
  const probeApi = new FleetApi(() => [nearUrl]);
  const fast = new SubmissionProbe({ api: probeApi, prefix: 'fast', durability: 'fast', everyMs: 50 });
  const replicated = new SubmissionProbe({ api: probeApi, prefix: 'safe', durability: 'replicated', everyMs: 200 });
  const submitting = [load, fast, replicated];
  let made: MadeSplit;
  let long: string[];
  try {
    for (const each of submitting) each.start();
    await pause(BEFORE_MS + chance.between(0, 1000));
    long = await startLongRuns(fleet.api);
    made = await splitAndHeal(set, recorder, near, chance.pick(['held', 'lost']));
    await pause(AFTER_MS);
  } finally {
    await Promise.all(submitting.map((each) => each.stop()));
  }
  const { splitAt, healedAt } = made;

  const losses = { fast: await fast.findLoss(splitAt), replicated: await replicated.findLoss(splitAt) };
  const lost = new Set(losses.fast.lost.map(({ runId }) => runId));
  const lasting = fast.acknowledged.find(({ runId, sentAt }) => sentAt > healedAt && !lost.has(runId));
  const present: StartedGraph[] = [];
  for (const started of load.graphs) {
    const { status } = await fleet.api.request('GET', `/v1/runs/${started.runId}`);
    if (status === 200) present.push(started);
  }
  const runIds = [...present.map(({ runId }) => runId), ...long];
  await fleet.api.waitForEnd(runIds, { timeoutMs: 60_000, intervalMs: 100 });
  recorder.addAll('processes', processesOf(fleet));
  recorder.addAll('runs', await collectRuns(fleet.api, runIds, recorder.recording().calls));
  return {
    ...made,
    recoveredAfterMs: (lasting?.acknowledgedAt ?? Number.POSITIVE_INFINITY) - healedAt,
    ...losses,
    present,
    recording: recorder.recording(),
    logs: new Map(fleet.members.map(({ id, process }) => [id, process.lines])),
  };
}

interface MadeSplit {
  splitAt: number;
  healedAt: number;
  promotedAfterMs: number;
}

async function splitAndHeal(
  set: SplitSentinel,
  recorder: Recorder,
  near: readonly FleetMember[],
  bytes: 'held' | 'lost',
): Promise<MadeSplit> {
  let promotedAfterMs = 0;
  const { startAt, endAt } = await recorder.fault(
    { faultId: 'F11', kind: 'split-brain', targets: ['redis', ...near.map(({ id }) => id)] },
    async () => {
      const beginsAt = Date.now();
      await set.split(bytes);
      await eventually(async () => (await set.masterOf('far')) !== set.near, {
        timeoutMs: SPLIT_MS - 1000,
        intervalMs: 50,
        message: 'the far side to have a primary of its own',
      });
      promotedAfterMs = Date.now() - beginsAt;
      const isBrainSplit = (await set.masterOf('near')) === set.near;
      await pause(Math.max(0, SPLIT_MS - (Date.now() - beginsAt)));
      const keptBack = await set.heal();
      return isBrainSplit && keptBack > 0
        ? [`two primaries for ${SPLIT_MS - promotedAfterMs} ms, ${keptBack} bytes kept`]
        : [];
    },
  );
  return { splitAt: startAt, healedAt: endAt, promotedAfterMs };
}

/** Runs whose only attempts are under way on all workers when it resolves. */
async function startLongRuns(api: FleetApi): Promise<string[]> {
  const a = { kind: 'task', use: 'flotilla.sleep', input: { ms: LONG_STEP_MS } };
  const definition = { flotilla: 1, name: 'long', steps: { a } };
  const runIds = Array.from({ length: LONG_RUNS }, (_, index) => `long-${index}`);
  await Promise.all(
    runIds.map((runId) => api.start({ definition, runId, durability: 'replicated' }, { timeoutMs: 60_000 })),
  );
  await Promise.all(runIds.map((runId) => api.waitForEvent(runId, ({ type }) => type === 'attempt-started', 60_000)));
  return runIds;
}
