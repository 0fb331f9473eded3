import type { HistoryEvent, StepStatus } from '@flotilla/contracts';

/** One try of a step, as its history tells it. */
export interface AttemptRecord {
  attempt: number;
  attemptId: string | undefined;
  worker: string | undefined;
  startedAt: number;
  endedAt: number | undefined;
  /** Undefined while it is under way. */
  end: 'succeeded' | 'failed' | 'timed-out' | 'lost' | 'cancelled' | undefined;
  error: { type?: string; code?: string; message?: string } | undefined;
}

type WaitKind = 'queued' | 'backing-off' | 'parked';

/** A time in which a step stood still, and why. */
export interface WaitRecord {
  kind: WaitKind;
  reason: string | undefined;
  from: number;
  to: number | undefined;
}

export interface StepRecord {
  stepId: string;
  status: StepStatus;
  /** When it came into its status. */
  since: number;
  attempts: AttemptRecord[];
  waits: WaitRecord[];
  /** Of a map: how many of its items are in which status. */
  items: Map<StepStatus, number> | undefined;
}

/** What has become of a run up to an event: a fold over its history, which is in order and without gaps. */
export interface FoldedRun {
  steps: Map<string, StepRecord>;
  /** Seq of the last event. */
  seq: number;
  startedAt: number | undefined;
  lastAt: number;
  /** Grows with each change, so that views notice. */
  version: number;
}

export function emptyFold(): FoldedRun {
  return { steps: new Map(), seq: -1, startedAt: undefined, lastAt: 0, version: 0 };
}

const ITEM = /^(.+)\[\d+\]$/;
const SETTLED: Partial<Record<HistoryEvent['type'], StepStatus>> = {
  'step-succeeded': 'succeeded',
  'step-failed': 'failed',
  'step-skipped': 'skipped',
  'step-cancelled': 'cancelled',
  'step-quarantined': 'quarantined',
};
const ATTEMPT_ENDS: Partial<Record<HistoryEvent['type'], AttemptRecord['end']>> = {
  'attempt-succeeded': 'succeeded',
  'attempt-failed': 'failed',
  'attempt-timed-out': 'timed-out',
  'attempt-lost': 'lost',
  'attempt-cancelled': 'cancelled',
};

/** Adds events behind the last one; others are left out, so that overlapping pages do no harm. Changes what it is given. */
export function foldEvents(run: FoldedRun, events: readonly HistoryEvent[]): FoldedRun {
  for (const event of events) {
    if (event.seq !== run.seq + 1) continue;
    run.seq = event.seq;
    run.startedAt ??= event.at;
    run.lastAt = Math.max(run.lastAt, event.at);
    apply(run, event);
  }
  run.version += 1;
  return run;
}

function apply(run: FoldedRun, event: HistoryEvent): void {
  if (event.type === 'step-ready') {
    for (const stepId of readySteps(event)) {
      setStatus(run, stepId, 'ready', event.at);
      openWait(run, stepId, 'queued', undefined, event.at);
    }
    return;
  }
  if (event.type === 'run-retried') reopen(run, event);
  // Cleanups have a list of their own.
  if (event.stepId === undefined || event.cleanup !== undefined) return;
  applyToStep(run, event, event.stepId);
}

function applyToStep(run: FoldedRun, event: HistoryEvent, stepId: string): void {
  const { type, at } = event;
  const settled = SETTLED[type];
  const end = ATTEMPT_ENDS[type];
  if (settled !== undefined) {
    closeWait(run, stepId, at);
    setStatus(run, stepId, settled, at);
  } else if (end !== undefined) {
    endAttempt(recordOf(run, stepId, at), event, end);
    // What was lost or handed back is ready again; what failed says itself what follows.
    if (end !== 'succeeded') setStatus(run, stepId, 'ready', at);
    if (end === 'lost' || end === 'cancelled') openWait(run, stepId, 'queued', undefined, at);
  } else if (type === 'attempt-started') {
    closeWait(run, stepId, at);
    beginAttempt(recordOf(run, stepId, at), event);
    setStatus(run, stepId, 'running', at);
  } else if (type === 'retry-scheduled') {
    setStatus(run, stepId, 'backing-off', at);
    openWait(run, stepId, 'backing-off', undefined, at);
  } else if (type === 'step-parked') {
    const { reason } = event.data ?? {};
    setStatus(run, stepId, 'parked', at);
    openWait(run, stepId, 'parked', typeof reason === 'string' ? reason : undefined, at);
  }
}

/** What failed, or never came to its turn, is made again. */
function reopen(run: FoldedRun, { at, data }: HistoryEvent): void {
  for (const { stepId, status } of run.steps.values()) {
    if (status !== 'succeeded' || stepId === data?.['from']) setStatus(run, stepId, 'waiting', at);
  }
}

function readySteps(event: HistoryEvent): string[] {
  if (event.stepId !== undefined) return [event.stepId];
  const steps = event.data?.['steps'];
  return Array.isArray(steps) ? steps.filter((step): step is string => typeof step === 'string') : [];
}

function recordOf(run: FoldedRun, stepId: string, at: number): StepRecord {
  let record = run.steps.get(stepId);
  if (record === undefined) {
    record = { stepId, status: 'waiting', since: at, attempts: [], waits: [], items: undefined };
    run.steps.set(stepId, record);
    countItem(run, stepId, undefined, 'waiting', at);
  }
  return record;
}

function setStatus(run: FoldedRun, stepId: string, status: StepStatus, at: number): void {
  const record = recordOf(run, stepId, at);
  if (record.status === status) return;
  countItem(run, stepId, record.status, status, at);
  record.status = status;
  record.since = at;
}

function countItem(run: FoldedRun, stepId: string, from: StepStatus | undefined, to: StepStatus, at: number): void {
  const mapId = ITEM.exec(stepId)?.[1];
  if (mapId === undefined) return;
  const map = recordOf(run, mapId, at);
  map.items ??= new Map();
  if (from !== undefined) map.items.set(from, (map.items.get(from) ?? 1) - 1);
  map.items.set(to, (map.items.get(to) ?? 0) + 1);
  if (map.status === 'waiting' || map.status === 'ready') map.status = 'running';
}

function openWait(run: FoldedRun, stepId: string, kind: WaitKind, reason: string | undefined, at: number): void {
  closeWait(run, stepId, at);
  recordOf(run, stepId, at).waits.push({ kind, reason, from: at, to: undefined });
}

function closeWait(run: FoldedRun, stepId: string, at: number): void {
  const wait = recordOf(run, stepId, at).waits.at(-1);
  if (wait !== undefined && wait.to === undefined) wait.to = at;
}

function beginAttempt(record: StepRecord, { at, attempt, attemptId, worker }: HistoryEvent): void {
  const number = attempt ?? record.attempts.length + 1;
  const base = { attempt: number, attemptId, worker, startedAt: at };
  record.attempts.push({ ...base, endedAt: undefined, end: undefined, error: undefined });
}

function endAttempt(record: StepRecord, event: HistoryEvent, end: AttemptRecord['end']): void {
  const attempt = record.attempts.findLast(
    (each) => each.endedAt === undefined && (event.attemptId === undefined || each.attemptId === event.attemptId),
  );
  if (attempt === undefined) return;
  attempt.endedAt = event.at;
  attempt.end = end;
  if (end === 'failed' || end === 'timed-out') attempt.error = event.data as AttemptRecord['error'];
}
