import { isTerminalRunStatus } from '@flotilla/contracts';
import { placeOf } from '../key-places.ts';
import type { Recording, ScannedKey } from '../recording.ts';
import type { CheckContext, Invariant, Violation } from '../violation.ts';

/** Empty when all runs have ended. */
const WORK: ReadonlySet<string> = new Set(['approvals', 'outbox', 'due', 'lease', 'cancels', 'paused']);
/** Sets of runs that have not ended; paused ones may be left. */
const OPEN_RUNS = /^[nre]\|\|$/;
/** There are none without the run. */
const OF_A_RUN: ReadonlySet<string> = new Set(['run', 'history', 'dead-letters']);
/** BullMQ: where tasks wait or are being made. */
const TASK_LISTS: ReadonlySet<string> = new Set([
  'wait',
  'active',
  'paused',
  'delayed',
  'prioritized',
  'waiting-children',
]);
const QUEUE_KEYS: ReadonlySet<string> = new Set([
  'meta',
  'id',
  'events',
  'stalled',
  'stalled-check',
  'marker',
  'completed',
  // Tasks in which an attempt failed: a bounded record for the dashboard, from which nothing follows.
  'failed',
  'pc',
  'limiter',
]);

export const v13: Invariant = {
  id: 'V13',
  title: 'At rest nothing is left to do: no outbox or due entry, lease or BullMQ task, and no key without an owner.',
  check: (context) => {
    const { recording, atRest } = context;
    const scan = recording.scans.at(-1);
    if (scan === undefined || !atRest) return [];
    const owners = ownersOf(recording);
    return scan.keys.flatMap((key) => {
      const problem = findProblem(key, scan.namespace, owners, context);
      return problem === undefined ? [] : [violation(problem, key)];
    });
  },
};

const violation = (message: string, key: ScannedKey): Violation => ({ invariant: 'V13', message, evidence: [key] });

/** Runs and definitions that may have keys; undefined where it is not known which runs there are. */
interface Owners {
  runs: ReadonlySet<string>;
  definitions: ReadonlySet<string>;
  paused: ReadonlySet<string>;
}

function ownersOf({ listings, runs }: Recording): Owners | undefined {
  const listing = listings.at(-1);
  if (listing === undefined) return undefined;
  const open = runs.filter(({ run }) => !isTerminalRunStatus(run.status));
  return {
    // Both: that a run is not listed is V14's matter.
    runs: new Set([...listing.runs, ...runs.map(({ run }) => run)].map(({ runId }) => runId)),
    definitions: new Set([...listing.runs, ...runs.map(({ run }) => run)].map(({ definitionHash }) => definitionHash)),
    paused: new Set(open.map(({ run }) => run.runId)),
  };
}

function findProblem(
  { key, size = 0, ttlMs }: ScannedKey,
  namespace: string,
  owners: Owners | undefined,
  { bounds }: CheckContext,
): string | undefined {
  const place = placeOf(key, namespace);
  if (place === undefined) return `${key} is a key that nobody knows`;
  const { area, name, id } = place;
  if (area === 'queue') {
    if (TASK_LISTS.has(name))
      return size > 0 && !bounds.tasksMayRemain ? `${size} tasks are left in ${key}` : undefined;
    return QUEUE_KEYS.has(name) || name === 'task' ? undefined : `${key} is a key that nobody knows`;
  }
  if (name === 'retries' || name === 'parked-behind') return ttlMs === -1 ? `${key} never expires` : undefined;
  if (area === 'deployment') return undefined;
  if (name === 'idempotency') return ttlMs === -1 ? `${key} never expires` : undefined;
  if (name === 'paused' && owners?.paused.has(id)) return undefined;
  const isOpen = WORK.has(name) || (name === 'by-facet' && OPEN_RUNS.test(id));
  if (isOpen) return size > 0 ? `${size} entries are left in ${key}` : undefined;
  if (owners === undefined) return undefined;
  // Of a run, or of a step of it.
  const [runId = id] = id.split('|');
  if ((OF_A_RUN.has(name) && !owners.runs.has(id)) || (name === 'logs' && !owners.runs.has(runId)))
    return `${key} belongs to no run`;
  if (name === 'definition' && !owners.definitions.has(id)) return `${key} is the definition of no run`;
  return undefined;
}
