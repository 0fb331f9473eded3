import type {
  AgentStatus,
  BreakerView,
  CancelReceipt,
  CheckpointView,
  ProblemDocument,
  RunStarted,
  RunStatus,
  StartRun,
  WorkflowDefinition,
} from '@flotilla/contracts';
import type { RunRecord } from '@flotilla/local-fleet';

/**
 * Everything a check looks at, taken from outside: over HTTP, from callers, from steps, from whoever made the faults,
 * and from a scan of Redis. Times are milliseconds since 1970; those of runs and scans on Redis' clock, the others on
 * that of the recorder, which must be the same machine or one that agrees within `clockToleranceMs`.
 */
export interface Recording {
  /** What callers asked and were told. */
  calls: readonly ClientCall[];
  /** Runs with their steps, histories and checkpoints. */
  runs: readonly RecordedRun[];
  /** What the lists of runs said; the last one counts. */
  listings: readonly RunListing[];
  /** What steps told of their effects and progress, in the order in which it came. */
  effects: readonly StepReport[];
  faults: readonly FaultEntry[];
  processes: readonly ProcessEntry[];
  /** As what the agents were shown, again and again, in the order in which it was looked at. */
  sightings: readonly AgentSighting[];
  /** As what the breakers were shown, again and again, in the order in which it was looked at. */
  breakers: readonly BreakerSighting[];
  /** Calls that reached a dependency which tells of them, in the order in which they came. */
  dependencyCalls: readonly DependencyCall[];
  /** What was in Redis; the last one counts and was taken when everything had come to rest. */
  scans: readonly RedisScan[];
}

export interface RecordedRun extends RunRecord {
  /** What the run was made from, where that is known: needed for joins, retries and time limits. */
  definition?: WorkflowDefinition;
  checkpoints?: readonly CheckpointView[];
}

interface Call {
  startAt: number;
  /** When it was answered, or given up. */
  endAt: number;
  /** HTTP status; none when no answer came, and then it may have taken effect or not. */
  status?: number;
  problem?: Partial<ProblemDocument>;
  /** Why no answer came. */
  error?: string;
}

export interface StartCall extends Call {
  kind: 'start';
  request: StartRun;
  answer?: RunStarted;
}

export interface CancelCall extends Call {
  kind: 'cancel';
  runId: string;
  answer?: CancelReceipt;
}

/** One HTTP request: a call that is repeated is there several times. */
export type ClientCall = StartCall | CancelCall;

export interface RunListing {
  at: number;
  runs: readonly { runId: string; status: RunStatus; definitionHash: string }[];
  /** How many runs a list of one status alone has. */
  counts: Readonly<Partial<Record<RunStatus, number>>>;
}

interface Report {
  at: number;
  /** `run/step`: what the receiver of an effect deduplicates by. */
  key: string;
  runId: string;
  stepId: string;
  /** Says which attempt it was: no two attempts of a step share a fence. */
  fence: number;
}

/** A step has had an effect outside. `applied` is false when the receiver knew the key already. */
export interface EffectReport extends Report {
  kind: 'effect';
  outputHash: string;
  applied: boolean;
}

/**
 * What a step did with its progress: `saving` before, `saved` after it was stored, `loaded` what an attempt found.
 * `number` counts the saves of the step over all attempts, from 1; 0: nothing was found.
 */
export interface ProgressReport extends Report {
  kind: 'saving' | 'saved' | 'loaded';
  number: number;
  stateHash: string;
}

export type StepReport = EffectReport | ProgressReport;

export interface FaultEntry {
  faultId: string;
  /** Such as `kill-worker`: `bounds.recoveryMs` has a bound for each. */
  kind: string;
  startAt: number;
  /** Of a crash: when it happened. */
  endAt: number;
  /** Ids of workers and schedulers, `redis`, or `run/step` where a checkpoint was damaged. */
  targets: readonly string[];
  /** What shows that it hit: the signal that ended a process, a refused write. None: it proves nothing. */
  proof: readonly string[];
  /**
   * Of a Redis that was killed and may have answered before it had written (`appendfsync` is not `always`): when its process
   * was gone. None: all that was acknowledged has to be there.
   */
  unwrittenUntil?: number;
}

export interface ProcessEntry {
  /** As logs, agents and histories name it. */
  id: string;
  kind: string;
  pid: number;
  startedAt: number;
  /** None while it runs. */
  exit?: { at?: number; code: number | null; signal: string | null };
  /** How it was meant to end. None: it was not. */
  planned?: { signal?: string; codes?: readonly number[] };
  /** Lines of its output that no healthy process writes. */
  complaints: readonly string[];
}

export interface AgentSighting {
  at: number;
  /** Agent id -> its status. Who is not listed is not there. */
  agents: Readonly<Record<string, AgentStatus>>;
}

export interface BreakerSighting {
  at: number;
  breakers: readonly Pick<BreakerView, 'name' | 'state' | 'since' | 'parked'>[];
}

export interface DependencyCall {
  at: number;
  /** The breaker of the steps that call it. */
  breaker: string;
  /** It gave a good answer. */
  answered: boolean;
}

export interface ScannedKey {
  key: string;
  type: string;
  /** Members, entries or fields; none where it was not asked for. */
  size?: number;
  /** -1: for ever; none where it was not asked for. */
  ttlMs?: number;
}

export interface RedisScan {
  at: number;
  namespace: string;
  keys: readonly ScannedKey[];
  /** None where there were too many runs to compare. */
  indexes?: ScannedIndexes;
}

/** Sets of runs, and what the runs say of themselves. */
export interface ScannedIndexes {
  sets: readonly { key: string; members: readonly string[] }[];
  runs: readonly ScannedRun[];
}

export interface ScannedRun {
  /** What its keys begin with. */
  partition: string;
  runId: string;
  /** Its status as it is stored. */
  letter: string;
  /** Attempts under way. */
  live: number;
  workflow: string;
  tags: readonly string[];
  /** How many of its steps (of one that is ending: cleanups) wait for what, as their headers say, and as the run says. */
  waits: Readonly<Record<string, number>>;
  storedWaits: string;
  /** Fingerprints of the errors that it has met. */
  errors: readonly string[];
}

export const EMPTY_RECORDING: Recording = {
  calls: [],
  runs: [],
  listings: [],
  effects: [],
  faults: [],
  processes: [],
  sightings: [],
  breakers: [],
  dependencyCalls: [],
  scans: [],
};
