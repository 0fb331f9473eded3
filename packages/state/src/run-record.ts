import type { Json, RunStatus, RunView, StepError, WaitView } from '@flotilla/contracts';
import { ENDING, FIELD, RUN, type RunLetter } from './format.ts';

const STATUS_OF_LETTER: Record<string, RunStatus> = {
  [RUN.pending]: 'pending',
  [RUN.running]: 'running',
  [RUN.paused]: 'paused',
  [RUN.ending]: 'cancelling',
  // Ended, and being reopened.
  [RUN.reopening]: 'pending',
  [RUN.succeeded]: 'succeeded',
  [RUN.failed]: 'failed',
  [RUN.cancelled]: 'cancelled',
  [RUN.timedOut]: 'timed-out',
} satisfies Record<RunLetter, RunStatus>;

export function runStatusOf(letter: string): RunStatus {
  return STATUS_OF_LETTER[letter] ?? 'pending';
}

const ENDED: ReadonlySet<string> = new Set([RUN.succeeded, RUN.failed, RUN.cancelled, RUN.timedOut]);

/** Whether a run's letter says that it has ended, and is not being reopened. */
export function hasEnded(letter: string): boolean {
  return ENDED.has(letter);
}

/** What every transition needs of a run, packed into the field `m`: status, creation, live attempts, open end steps, …; behind them `u` when steps were undone and made again. */
export interface RunMeta {
  /** Letter; see `runStatusOf`. */
  letter: string;
  createdAt: number;
  live: number;
}

export function parseRunMeta(packed: string): RunMeta {
  const [letter = '', created, live] = packed.split('|');
  return { letter, createdAt: Number(created), live: Number(live) };
}

type Outcome = 'failed' | 'cancelled' | 'timed-out';

/** How a run ends, by its status or, while it is ending, by what `FIELD.ending` begins with. */
const OUTCOME_OF_LETTER: Record<string, Outcome> = {
  [ENDING.failed]: 'failed',
  [ENDING.cancelled]: 'cancelled',
  [ENDING.timedOut]: 'timed-out',
  [RUN.failed]: 'failed',
  [RUN.cancelled]: 'cancelled',
  [RUN.timedOut]: 'timed-out',
};

/** `registered|left|failed|begun`, as the transitions write it. */
export function parseCleanupCounts(stored: string): { registered: number; left: number; failed: number } {
  const [registered, left, failed] = stored.split('|').map(Number);
  return { registered: registered || 0, left: left || 0, failed: failed || 0 };
}

/** Fields of a run's hash, in the order in which `parseRun` takes their values. */
export const RUN_FIELDS = [
  FIELD.meta,
  FIELD.definition,
  FIELD.workflow,
  FIELD.version,
  FIELD.endedAt,
  FIELD.input,
  FIELD.output,
  FIELD.tags,
  FIELD.ending,
  FIELD.failure,
  FIELD.cleanups,
  FIELD.opening,
  FIELD.waits,
  FIELD.traceparent,
] as const;

/** A run's view from its fields; undefined when there is no such run. */
export function parseRun(runId: string, values: readonly (string | null)[]): RunView | undefined {
  const [
    packed,
    definitionHash,
    workflow,
    version,
    ended,
    input,
    output,
    tags,
    ending,
    failed,
    cleanups,
    reopened,
    waits,
    traceparent,
  ] = values;
  if (packed == null) return undefined;
  const { letter: status, createdAt, live } = parseRunMeta(packed);
  const view: RunView = {
    runId,
    workflow: workflow ?? '',
    definitionHash: definitionHash ?? '',
    status: runStatusOf(status),
    createdAt,
    tags: tags == null ? [] : (JSON.parse(tags) as string[]),
  };
  if (version != null) view.version = version;
  if (ended != null) view.endedAt = createdAt + Number(ended);
  if (input != null) view.input = JSON.parse(input) as Json;
  if (output != null) view.output = JSON.parse(output) as Json;
  if (status === RUN.failed || status === RUN.timedOut || status === RUN.cancelled || status === RUN.ending) {
    // What ended the run comes before a failure that it had gone on after.
    const error = ending?.slice(2) ?? failed;
    if (error != null) view.error = JSON.parse(error) as StepError & { stepId?: string };
  }
  if (cleanups != null && status !== RUN.succeeded) {
    const outcome = OUTCOME_OF_LETTER[status === RUN.ending ? (ending?.charAt(0) ?? '') : status];
    if (outcome !== undefined) view.cleanups = { ...parseCleanupCounts(cleanups), outcome };
  }
  if (reopened != null) view.opening = Number.parseInt(reopened, 10);
  // `version-trace-span-flags`.
  if (traceparent != null) view.traceId = traceparent.split('-')[1];
  const waiting = waitsOf(status, live, waits);
  if (waiting.length > 0) view.waiting = waiting;
  if (live > 0) view.counts = { steps: 0, running: live };
  return view;
}

/** Why a run waits, from how many of its steps wait for what (`reason=count`, joined by `;`): as `lua/indexes.lua` indexes it. */
function waitsOf(letter: string, live: number, stored: string | null | undefined): WaitView[] {
  const waits = (stored ?? '').split(';').flatMap((text): WaitView[] => {
    const match = /^([^=:]+)(?::([^=]+))?=(\d+)$/.exec(text);
    if (match === null) return [];
    const [, reason = '', subject, count] = match;
    return [{ reason, ...(subject !== undefined && { subject }), steps: Number(count) }];
  });
  if (letter === RUN.paused) return [{ reason: 'paused' }, ...waits];
  const isIdle = letter === RUN.pending || letter === RUN.reopening || (letter === RUN.running && live === 0);
  return isIdle && waits.length === 0 ? [{ reason: 'queued' }] : waits;
}
