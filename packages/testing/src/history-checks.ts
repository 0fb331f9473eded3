import type { EventType, HistoryEvent } from '@flotilla/contracts';
import type { RunRecord } from './fleet-api.ts';

/**
 * What must hold for every ended run, read from its history over HTTP alone. A violation is a sentence that begins with
 * the number of the invariant:
 *
 * - V1 the history is complete and totally ordered: seq 0, 1, 2, …; time never goes back
 * - V2 exactly one terminal event, the run's status; only refused results follow it
 * - V3 each step is committed at most once; in a succeeded run every step that was not skipped is committed
 * - V4 what is committed was started, under the same fence and attempt id
 * - V5 fences of a step grow; whatever ends or saves an attempt carries the fence of the last one started
 * - V6 no step starts before its needs have settled (`join: any`: before one has succeeded)
 * - V7 every attempt ends exactly once; no more failures than the policy allows
 */
export interface Expectations {
  /** Step id -> its needs. Default: what `/steps` says. */
  needs?: ReadonlyMap<string, readonly string[]>;
  /** Steps with `join: any`: they may start when one of their needs has succeeded. */
  joinsAny?: ReadonlySet<string>;
  /** Most failures of a step that are charged. Default: not checked. */
  maxAttempts?: number;
}

const TERMINAL: ReadonlyMap<EventType, string> = new Map([
  ['run-succeeded', 'succeeded'],
  ['run-failed', 'failed'],
  ['run-cancelled', 'cancelled'],
  ['run-timed-out', 'timed-out'],
]);
const ATTEMPT_ENDS: ReadonlySet<EventType> = new Set<EventType>([
  'attempt-succeeded',
  'attempt-failed',
  'attempt-timed-out',
  'attempt-lost',
  'attempt-cancelled',
]);
const CHARGED: ReadonlySet<EventType> = new Set<EventType>(['attempt-failed', 'attempt-timed-out']);
const SETTLED: ReadonlySet<EventType> = new Set<EventType>([
  'step-succeeded',
  'step-failed',
  'step-skipped',
  'step-cancelled',
  'step-quarantined',
]);

/** All violations of an ended run; none when it is right. */
export function findViolations(record: RunRecord, expectations: Expectations = {}): string[] {
  const violations = [
    ...checkOrder(record),
    ...checkEnd(record),
    ...checkCommits(record),
    ...checkAttempts(record, expectations),
    ...checkNeeds(record, expectations),
  ];
  return violations.map((violation) => `${record.run.runId}: ${violation}`);
}

function checkOrder({ events }: RunRecord): string[] {
  const found: string[] = [];
  events.forEach((event, index) => {
    if (event.seq !== index) found.push(`V1 event ${index} has seq ${event.seq}`);
    const before = events[index - 1];
    if (before !== undefined && event.at < before.at) found.push(`V1 time goes back at event ${event.seq}`);
  });
  if (events[0]?.type !== 'run-created') found.push('V1 the history does not begin with run-created');
  return found;
}

function checkEnd({ run, events }: RunRecord): string[] {
  const found: string[] = [];
  const ends = events.filter(({ type }) => TERMINAL.has(type));
  if (ends.length !== 1) found.push(`V2 ${ends.length} terminal events: ${ends.map(({ type }) => type).join(', ')}`);
  const [end] = ends;
  if (end === undefined) return found;
  if (TERMINAL.get(end.type) !== run.status) found.push(`V2 the run is ${run.status} and its history ends ${end.type}`);
  const after = events.slice(events.indexOf(end) + 1);
  for (const { type, seq } of after) {
    if (type !== 'attempt-rejected' && !type.startsWith('cleanup-')) {
      found.push(`V2 ${type} (event ${seq}) follows ${end.type}`);
    }
  }
  return found;
}

function checkCommits({ run, steps, events }: RunRecord): string[] {
  const found: string[] = [];
  const commits = countByStep(events, (type) => type === 'step-succeeded');
  const successes = countByStep(events, (type) => type === 'attempt-succeeded');
  for (const [stepId, count] of commits) if (count > 1) found.push(`V3 ${stepId} was committed ${count} times`);
  for (const [stepId, count] of successes) {
    if (count > 1) found.push(`V3 ${count} attempts of ${stepId} succeeded`);
    if (!commits.has(stepId)) found.push(`V3 an attempt of ${stepId} succeeded and the step was not committed`);
  }
  if (run.status !== 'succeeded') return found;
  for (const { stepId, status } of steps) {
    // An item may fail where its map tolerates that: that the map succeeded says that it does.
    const tolerated = (status === 'failed' || status === 'quarantined') && stepId.endsWith(']');
    if (status !== 'succeeded' && status !== 'skipped' && !tolerated)
      found.push(`V3 the run succeeded and ${stepId} is ${status}`);
    if (status === 'succeeded' && !commits.has(stepId)) found.push(`V3 ${stepId} succeeded and was never committed`);
  }
  return found;
}

interface OpenAttempt {
  fence: number;
  attemptId: string;
  open: boolean;
}

function checkAttempts({ events }: RunRecord, { maxAttempts }: Expectations): string[] {
  const found: string[] = [];
  const current = new Map<string, OpenAttempt>();
  const failures = new Map<string, number>();
  for (const { type, stepId, fence = 0, attemptId = '', seq } of events) {
    if (stepId === undefined) continue;
    const last = current.get(stepId);
    if (type === 'attempt-started') {
      if (last !== undefined && fence <= last.fence) found.push(`V5 the fence of ${stepId} does not grow at ${seq}`);
      if (last?.open) found.push(`V7 ${stepId} starts at ${seq} while its last attempt has not ended`);
      current.set(stepId, { fence, attemptId, open: true });
      continue;
    }
    const ends = ATTEMPT_ENDS.has(type);
    if (!ends && type !== 'checkpoint-saved') continue;
    if (last === undefined) {
      found.push(`V4 ${type} of ${stepId} at ${seq} without a start`);
      continue;
    }
    if (fence !== last.fence || attemptId !== last.attemptId) {
      found.push(`V5 ${type} of ${stepId} at ${seq} carries a fence or attempt id that is not the current one`);
      continue;
    }
    if (!last.open) found.push(`V7 ${type} of ${stepId} at ${seq}: the attempt had ended`);
    if (ends) last.open = false;
    if (CHARGED.has(type)) failures.set(stepId, (failures.get(stepId) ?? 0) + 1);
  }
  for (const [stepId, { open }] of current) if (open) found.push(`V7 the last attempt of ${stepId} never ended`);
  if (maxAttempts !== undefined) {
    for (const [stepId, count] of failures) {
      if (count > maxAttempts) found.push(`V7 ${stepId} failed ${count} times, ${maxAttempts} are allowed`);
    }
  }
  return found;
}

function checkNeeds({ steps, events }: RunRecord, { needs, joinsAny }: Expectations): string[] {
  const found: string[] = [];
  const needed = needs ?? new Map(steps.map((step) => [step.stepId, step.needs ?? []]));
  const settled = new Set<string>();
  const succeeded = new Set<string>();
  for (const { type, stepId, seq } of events) {
    if (stepId === undefined) continue;
    if (SETTLED.has(type)) settled.add(stepId);
    if (type === 'step-succeeded') succeeded.add(stepId);
    if (type !== 'attempt-started') continue;
    const own = needed.get(stepId) ?? [];
    if (joinsAny?.has(stepId) && own.some((need) => succeeded.has(need))) continue;
    for (const need of own) {
      if (!settled.has(need)) found.push(`V6 ${stepId} starts at ${seq} before its need ${need} has settled`);
    }
  }
  return found;
}

/** An attempt whose worker died, and how long its step waited for the next. */
export interface Recovery {
  stepId: string;
  worker: string;
  /** From the death to `attempt-lost`. */
  lostAfterMs: number;
  /** From the death to the next `attempt-started`; Infinity when there was none. */
  waitedMs: number;
}

/**
 * Attempts that workers left behind when they died. `diedAt`: worker id -> wall clock, which must be Redis' own (one
 * machine). Attempts of runs that ended without them are left out.
 */
export function findRecoveries({ run, events }: RunRecord, diedAt: ReadonlyMap<string, number>): Recovery[] {
  const found: Recovery[] = [];
  const open = new Map<string, { worker: string; lostAt: number }>();
  const add = (stepId: string, startedAt: number): void => {
    const attempt = open.get(stepId);
    const died = diedAt.get(attempt?.worker ?? '');
    if (attempt === undefined || died === undefined) return;
    const { worker, lostAt } = attempt;
    found.push({ stepId, worker, lostAfterMs: lostAt - died, waitedMs: startedAt - died });
  };
  for (const { type, stepId, worker, at } of events) {
    if (stepId === undefined) continue;
    const attempt = open.get(stepId);
    if (type === 'attempt-started') {
      add(stepId, at);
      open.set(stepId, { worker: worker ?? '', lostAt: Number.POSITIVE_INFINITY });
    } else if (type === 'attempt-lost') {
      if (attempt !== undefined) attempt.lostAt = at;
    } else if (ATTEMPT_ENDS.has(type)) {
      open.delete(stepId);
    }
  }
  if (TERMINAL_STATUSES.has(run.status)) return found;
  for (const stepId of open.keys()) add(stepId, Number.POSITIVE_INFINITY);
  return found;
}

const TERMINAL_STATUSES: ReadonlySet<string> = new Set(TERMINAL.values());

/** Attempts whose result came too late and was refused. */
export function rejectedAttempts({ events }: RunRecord): readonly HistoryEvent[] {
  return events.filter(({ type }) => type === 'attempt-rejected');
}

function countByStep(events: readonly HistoryEvent[], counts: (type: EventType) => boolean): Map<string, number> {
  const found = new Map<string, number>();
  for (const { type, stepId } of events) {
    if (stepId !== undefined && counts(type)) found.set(stepId, (found.get(stepId) ?? 0) + 1);
  }
  return found;
}
