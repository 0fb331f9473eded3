import { isTerminalRunStatus, type RunStatus } from '@flotilla/contracts';
import { RUN } from './format.ts';
import { stateKey } from './keys.ts';

/** What a list of runs may ask for: see `lua/indexes.lua` for the sets that answer it. */
export interface RunFilter {
  workflow?: string | undefined;
  status?: RunStatus | undefined;
  tag?: string | undefined;
  /** `REASON` or `REASON:SUBJECT`. */
  waiting?: string | undefined;
  /** Fingerprint of an error group. */
  error?: string | undefined;
  /** Created then, both included, in ms. */
  from?: number | undefined;
  to?: number | undefined;
}

/** Letters under which runs of a status are indexed. */
const INDEXED_LETTER: Readonly<Record<RunStatus, string>> = {
  pending: RUN.pending,
  running: RUN.running,
  paused: RUN.paused,
  cancelling: RUN.ending,
  succeeded: RUN.succeeded,
  failed: RUN.failed,
  cancelled: RUN.cancelled,
  'timed-out': RUN.timedOut,
};

/** Which sets of a partition have the runs that fit. */
export interface RunSets {
  /** Their union, without doubles: no run is in two of them. */
  anyOf: readonly string[];
  /** A run fits when it is in each of these, too. */
  allOf: readonly string[];
}

export function setsOf(partition: string, filter: RunFilter): RunSets {
  const { waiting, error } = filter;
  const errorSets = error === undefined ? [] : [stateKey(partition, 'errorRuns', error)];
  const narrowing = narrowingSets(partition, filter);
  if (waiting !== undefined) {
    const anyOf = waitingSets(partition, filter.status, waiting);
    return { anyOf, allOf: [...errorSets, ...narrowing].filter((key) => !anyOf.includes(key)) };
  }
  const [first = stateKey(partition, 'runs'), ...allOf] = [...errorSets, ...narrowing];
  return { anyOf: [first], allOf };
}

/** What is common to these sets are the runs of the status with the labels. None: all runs. */
function narrowingSets(partition: string, { status, workflow = '', tag = '' }: RunFilter): string[] {
  const facet = (letter: string, of: string) => stateKey(partition, 'facet', `${letter}|${of}`);
  if (status !== undefined && isTerminalRunStatus(status)) return [facet(INDEXED_LETTER[status], `${workflow}|${tag}`)];
  // Runs that have not ended are few, and have one set a status.
  const ofStatus = status === undefined ? [] : [facet(INDEXED_LETTER[status], '|')];
  if (workflow !== '' && tag !== '') return [...ofStatus, facet('', `${workflow}|${tag}`)];
  if (tag !== '') return [...ofStatus, stateKey(partition, 'byTag', tag)];
  return workflow === '' ? ofStatus : [...ofStatus, stateKey(partition, 'byWorkflow', workflow)];
}

/** Pending runs are queued by their status, paused ones paused: no set of a reason has them. */
function waitingSets(partition: string, status: RunStatus | undefined, waiting: string): string[] {
  const ofStatus = (wanted: 'pending' | 'paused') =>
    status === undefined || status === wanted ? [stateKey(partition, 'facet', `${INDEXED_LETTER[wanted]}||`)] : [];
  if (waiting === 'paused') return ofStatus('paused');
  const set = stateKey(partition, 'waiting', waiting);
  if (waiting !== 'queued') return [set];
  return status === 'pending' ? ofStatus('pending') : [set, ...ofStatus('pending')];
}
