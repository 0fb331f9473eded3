import type { Chance } from '@flotilla/chaos';
import type { AgentStatus } from '@flotilla/contracts';
import {
  countOf,
  type DraftRecording,
  hasAfter,
  MUCH_LATER_MS,
  type Mutant,
  pickFrom,
  placesOf,
  shiftFrom,
  workOf,
} from './mutant.ts';

const leave = (name: string, key: (namespace: string) => string, more: object): Mutant => ({
  name,
  mutate({ scans }) {
    const { keys, namespace } = scans.at(-1)!;
    const wanted = key(namespace);
    const known = keys.find((found) => found.key === wanted);
    if (known === undefined) keys.push({ key: wanted, type: 'zset', ...more });
    else Object.assign(known, more);
  },
});

export const V13: readonly Mutant[] = [
  leave('a BullMQ task is left waiting', (namespace) => `{${namespace}:q:default}:default:wait`, {
    type: 'list',
    size: 1,
  }),
  leave('an outbox entry is left', (namespace) => `{${namespace}:00}:out`, { type: 'stream', size: 1 }),
  leave('a due entry is left', (namespace) => `{${namespace}:00}:due`, { size: 1 }),
  leave('a prioritized BullMQ task is left', (namespace) => `{${namespace}:q:default}:default:prioritized`, {
    size: 1,
  }),
  leave('a lease is left', (namespace) => `{${namespace}:00}:lease`, { size: 1 }),
  leave('a run that does not exist has a history', (namespace) => `{${namespace}:00}:h:nobody`, { type: 'list' }),
  leave('a definition is left that no run uses', (namespace) => `{${namespace}:00}:d:nobody`, {
    type: 'hash',
    size: 2,
  }),
  leave('an idempotency record never expires', (namespace) => `{${namespace}:00}:i:record`, {
    type: 'string',
    ttlMs: -1,
  }),
  leave('a key is left that nobody knows', (namespace) => `{${namespace}:00}:scratch`, { type: 'string', size: 1 }),
];

const lastListing = ({ listings }: DraftRecording) => listings.at(-1)!;

export const V14: readonly Mutant[] = [
  {
    name: 'a run is in no list of a status',
    mutate(recording) {
      lastListing(recording).counts['succeeded']! -= 1;
    },
  },
  {
    name: 'a run is not in the list of all runs',
    mutate(recording, chance) {
      const listing = lastListing(recording);
      const { runId } = pickFrom(
        chance,
        listing.runs.filter(
          ({ runId, status }) => status === 'succeeded' && recording.runs.some(({ run }) => run.runId === runId),
        ),
        'listed run',
      );
      listing.runs = listing.runs.filter((run) => run.runId !== runId);
      listing.counts['succeeded']! -= 1;
    },
  },
  {
    name: 'a run is listed twice',
    mutate(recording, chance) {
      const { runs } = lastListing(recording);
      runs.push({ ...pickFrom(chance, runs, 'listed run') });
    },
  },
  {
    name: 'the index of all runs and those of active and ended runs differ',
    mutate({ scans }, chance) {
      const indexes = scans.at(-1)!.keys.filter(({ key, size = 0 }) => key.endsWith('}:ended') && size > 0);
      pickFrom(chance, indexes, 'index of ended runs').size! -= 1;
    },
  },
];

/** Runs in which nothing was lost, failed or waited for. */
const plainRuns = (recording: DraftRecording) =>
  recording.runs.filter(
    ({ run, events }) =>
      run.status === 'succeeded' && !events.some(({ type }) => /lost|failed|timed-out|cancel|rejected/.test(type)),
  );
const delays = (recording: DraftRecording) =>
  placesOf(recording, ({ type, stepId }, run) => type === 'step-succeeded' && workOf(run, stepId)?.kind === 'delay');

export const V15: readonly Mutant[] = [
  {
    name: "an event has the time of a worker's clock that is ahead",
    mutate(recording, chance) {
      const run = pickFrom(chance, plainRuns(recording), 'plain run');
      run.events.find(({ type }) => type === 'step-ready')!.at += MUCH_LATER_MS;
    },
  },
  {
    name: 'a run was created at a time when nobody submitted it',
    mutate(recording, chance) {
      const known = new Set(recording.calls.map((call) => (call.kind === 'start' ? call.answer?.runId : undefined)));
      const run = pickFrom(
        chance,
        plainRuns(recording).filter(({ run: { runId } }) => known.has(runId)),
        'plain run',
      );
      shiftFrom(run, 0, MUCH_LATER_MS);
    },
  },
  {
    name: 'a delay ends early',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, delays(recording), 'delay');
      const step = workOf(run, event.stepId);
      if (step?.kind === 'delay') step.forMs = Number(step.forMs) + MUCH_LATER_MS;
    },
  },
  {
    name: 'a delay ends much too late',
    mutate(recording, chance) {
      const { run, index } = pickFrom(chance, delays(recording), 'delay');
      shiftFrom(run, index, MUCH_LATER_MS);
    },
  },
  {
    name: 'an attempt times out before its time is over',
    mutate(recording, chance) {
      const timedOut = placesOf(recording, ({ type }) => type === 'attempt-timed-out');
      const { run, event } = pickFrom(chance, timedOut, 'attempt that timed out');
      const work = workOf(run, event.stepId);
      if (work !== undefined && 'timeouts' in work) work.timeouts = { attemptMs: MUCH_LATER_MS };
    },
  },
];

/** Where a fault of a worker took an attempt away. */
const takenAway = (recording: DraftRecording) =>
  placesOf(recording, (event, run) => {
    const start = run.events.find(({ type, attemptId }) => type === 'attempt-started' && attemptId === event.attemptId);
    const isHit = recording.faults.some(
      ({ targets, startAt }) => targets.includes(event.worker ?? '') && (start?.at ?? startAt) <= startAt,
    );
    return event.type === 'attempt-lost' && isHit && hasAfter(run, event, 'attempt-started');
  });

/** The first event after the end of a fault of Redis, of a run in which a step was ready and none was being made. */
function afterOutage(recording: DraftRecording, chance: Chance) {
  const outages = recording.faults.filter(({ targets }) => targets.includes('redis'));
  const places = outages.flatMap(({ startAt, endAt }) =>
    placesOf(recording, ({ type, at }, run) => {
      const before = run.events.filter((event) => event.at <= endAt);
      const next = run.events[before.length];
      const isIdle = before.every(
        (event) =>
          event.type !== 'attempt-started' || countOf({ ...run, events: before }, event.stepId, 'step-succeeded') === 1,
      );
      return (
        type === 'attempt-started' &&
        at === next?.at &&
        at > startAt &&
        before.length > 1 &&
        isIdle &&
        before.at(-1)?.type === 'step-ready'
      );
    }),
  );
  return pickFrom(chance, places, 'run that waited for Redis');
}

export const V16: readonly Mutant[] = [
  {
    name: 'nothing shows that a fault hit',
    mutate({ faults }, chance) {
      pickFrom(chance, faults, 'fault').proof = [];
    },
  },
  {
    name: 'the step of a dead worker starts again too late',
    mutate(recording, chance) {
      const { run, index } = pickFrom(chance, takenAway(recording), 'attempt that a fault took away');
      shiftFrom(run, index + 1, MUCH_LATER_MS);
    },
  },
  {
    name: 'a run stands still after Redis is back',
    mutate(recording, chance) {
      const { run, index } = afterOutage(recording, chance);
      shiftFrom(run, index, MUCH_LATER_MS);
    },
  },
];

const WRONG_MS = 15_000;

/** Shows one agent as something else for a while, beyond what was seen. */
function showOn(recording: DraftRecording, agentId: string, status: AgentStatus | undefined): void {
  const last = recording.sightings.at(-1)!;
  for (let afterMs = 500; afterMs <= WRONG_MS; afterMs += 500) {
    const { [agentId]: _, ...others } = last.agents;
    const agents = status === undefined ? others : { ...others, [agentId]: status };
    recording.sightings.push({ at: last.at + afterMs, agents });
  }
}

const worker = (recording: DraftRecording, chance: Chance, isRunning: boolean) =>
  pickFrom(
    chance,
    recording.processes.filter(({ kind, exit }) => kind === 'worker' && (exit === undefined) === isRunning),
    'worker',
  ).id;

export const V17: readonly Mutant[] = [
  {
    name: 'a dead agent is shown as healthy for more than 10 s',
    mutate: (recording, chance) => showOn(recording, worker(recording, chance, false), 'healthy'),
  },
  {
    name: 'a living agent is shown as lost for more than 10 s',
    mutate: (recording, chance) => showOn(recording, worker(recording, chance, true), 'lost'),
  },
  {
    name: 'a living agent is missing from the list',
    mutate: (recording, chance) => showOn(recording, worker(recording, chance, true), undefined),
  },
];

const running = ({ processes }: DraftRecording) => processes.filter(({ exit }) => exit === undefined);

export const V18: readonly Mutant[] = [
  {
    name: 'a process ends by itself',
    mutate(recording, chance) {
      // One that nothing was taken from, so that its end explains nothing either.
      pickFrom(chance, running(recording), 'process').exit = { at: recording.scans.at(-1)!.at, code: 1, signal: null };
    },
  },
  {
    name: 'a process is killed that nobody meant to kill',
    mutate(recording, chance) {
      const exit = { at: recording.scans.at(-1)!.at, code: null, signal: 'SIGKILL' };
      pickFrom(chance, running(recording), 'process').exit = exit;
    },
  },
  {
    name: 'a process that was told to end has another exit code',
    mutate({ processes }, chance) {
      const told = processes.filter(({ planned, exit }) => planned?.codes !== undefined && exit !== undefined);
      pickFrom(chance, told, 'process that was told to end').exit!.code = 75;
    },
  },
  {
    name: 'a process tells of an error that nobody handled',
    mutate(recording, chance) {
      pickFrom(chance, recording.processes, 'process').complaints.push('Unhandled rejection: Error: no');
    },
  },
];
