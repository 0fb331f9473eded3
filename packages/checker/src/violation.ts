import type { HistoryEvent } from '@flotilla/contracts';
import type { Recording } from './recording.ts';
import type { RunFacts } from './run-facts.ts';

export interface Violation {
  /** `V0` to `V19`: docs/reference/invariants.md. */
  invariant: string;
  message: string;
  runId?: string;
  /** What shows it: events of the history, calls, reports, faults, processes, keys. */
  evidence: readonly object[];
  /**
   * It is no violation, but what a Redis that was killed had acknowledged so long before and not yet written
   * (`unwrittenAgeMs`).
   */
  unwrittenAgeMs?: number;
}

/** What was promised in figures; a check without its figure is left out. */
export interface Bounds {
  /** Kind of fault -> longest time until affected runs go on. `other`: all that are not named; default 30000. */
  recoveryMs?: Readonly<Record<string, number>>;
  /** How much later than scheduled a retry or delay may begin when nothing is wrong. Default 10000. */
  timerLateMs?: number;
  /** How far clocks of processes may be from Redis'. Default 250. */
  clockToleranceMs?: number;
  /** From a cancellation to the run's end, outside of faults. Default: not checked. */
  cancelMs?: number;
  /** Between two calls that test whether a dependency is back. Default: not checked. */
  probeIntervalMs?: number;
  /** True where tasks of killed workers may still be in BullMQ. Default false. */
  tasksMayRemain?: boolean;
  /** What was acknowledged as `fast` in here may be lost: a failover. Default: none. */
  lossWindows?: readonly { startAt: number; endAt: number }[];
}

export interface CheckContext {
  recording: Recording;
  runs: readonly RunFacts[];
  bounds: Bounds;
  /** False: taken while runs go on; what only holds at rest is left out. */
  atRest: boolean;
}

export interface Invariant {
  id: string;
  /** One sentence; docs/reference/invariants.md has the same. */
  title: string;
  check(context: CheckContext): Violation[];
}

export type Found = Omit<Violation, 'invariant' | 'runId'>;

/** An invariant of each run by itself. */
export function perRun(
  id: string,
  title: string,
  check: (run: RunFacts, context: CheckContext) => Found[],
): Invariant & { checkRun: (run: RunFacts, context: CheckContext) => Violation[] } {
  const checkRun = (run: RunFacts, context: CheckContext): Violation[] =>
    check(run, context).map((found) => ({ invariant: id, runId: run.runId, ...found }));
  return { id, title, checkRun, check: (context) => context.runs.flatMap((run) => checkRun(run, context)) };
}

/** Violations as text: a line each, and below it what shows it. */
export function explain(violations: readonly Violation[], mostEvidence = 6): string {
  return violations
    .map(({ invariant, runId, message, evidence }) => {
      const shown = evidence.slice(0, mostEvidence).map((item) => `    ${describe(item)}`);
      const more = evidence.length > mostEvidence ? [`    and ${evidence.length - mostEvidence} more`] : [];
      return [`${invariant} ${runId === undefined ? '' : `${runId}: `}${message}`, ...shown, ...more].join('\n');
    })
    .join('\n');
}

function describe(item: object): string {
  if (!isEvent(item)) return JSON.stringify(item).slice(0, 400);
  const { seq, at, type, stepId, attempt, fence, attemptId, worker, data } = item;
  const parts = [`#${seq}`, new Date(at).toISOString().slice(11, 23), type, stepId];
  if (attempt !== undefined) parts.push(`attempt=${attempt}`);
  if (fence !== undefined) parts.push(`fence=${fence}`);
  if (attemptId !== undefined) parts.push(`attemptId=${attemptId}`);
  if (worker !== undefined) parts.push(`worker=${worker}`);
  if (data !== undefined) parts.push(JSON.stringify(data).slice(0, 200));
  return parts.filter((part) => part !== undefined).join(' ');
}

function isEvent(item: object): item is HistoryEvent {
  return 'seq' in item && 'type' in item && 'at' in item;
}
