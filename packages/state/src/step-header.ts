import type { StepStatus, WaitKind } from '@flotilla/contracts';
import {
  FAILED_MAP_HEADER,
  HEADER,
  type HeaderState,
  LOOP_WAIT,
  MAP_HEADER,
  RETRIED_MAP,
  STEP,
  SUCCEEDED_MAP_HEADER,
} from './format.ts';

export const HEADER_STATUS: Record<HeaderState, StepStatus> = {
  [STEP.running]: 'running',
  [STEP.succeeded]: 'succeeded',
  [STEP.backingOff]: 'backing-off',
  [STEP.ready]: 'ready',
  [STEP.parked]: 'parked',
  [STEP.failed]: 'failed',
  [STEP.quarantined]: 'quarantined',
  [STEP.cancelled]: 'cancelled',
  [STEP.skipped]: 'skipped',
  [STEP.delaying]: 'running',
  [STEP.waiting]: 'running',
  [STEP.mapRunning]: 'running',
  [STEP.mapSucceeded]: 'succeeded',
};

export interface StepHeader {
  state: HeaderState;
  failures: number;
  crashes: number;
  fence: number | undefined;
  attemptId: string;
  worker: string;
  firstAt: number | undefined;
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** B, D: when it is due. */
  dueAt: number | undefined;
  /** P, X, K: why. */
  reason: string | undefined;
  checkpoint: StoredCheckpoint | undefined;
  /** Waiting: for what, outside its run. */
  wait: StoredWait | undefined;
  map: StoredMap | undefined;
}

export interface StoredMap {
  items: number;
  next: number;
  succeeded: number;
  failed: number;
  isRetried?: boolean;
  /** Of a loop that has succeeded: why it ended. */
  endedBy?: string;
}

export interface StoredWait {
  kind: WaitKind;
  /** Name of a signal, token of a webhook, run id of a child; '' of an approval. */
  subject: string;
  /** '' while nothing has answered; the number of a stored message, or one of `WAIT_ANSWER`. */
  answer: string;
}

export interface StoredCheckpoint {
  ts: number;
  seq: number;
  checksum: string;
  previous: string;
}

/** Parses a header; offsets become times on Redis' clock when `createdAt` is the run's creation. */
export function parseStepHeader(header: string, createdAt: number): StepHeader {
  const parts = header.split('|');
  const state = parts[HEADER.state] as HeaderState;
  const at = (position: number) => {
    const offset = parts[position];
    return offset === undefined || offset === '' ? undefined : createdAt + Number(offset);
  };
  if (state === STEP.mapRunning) return runningMap(parts, at);
  if (state === STEP.mapSucceeded) return succeededMap(parts, at);
  const isDue = state === STEP.backingOff || state === STEP.delaying || state === STEP.waiting;
  const hasReason = state === STEP.parked || state === STEP.cancelled || state === STEP.skipped;
  return {
    state,
    failures: Number(parts[HEADER.failures]),
    crashes: Number(parts[HEADER.crashes]),
    fence: at(HEADER.fence),
    attemptId: parts[HEADER.attemptId] ?? '',
    worker: parts[HEADER.worker] ?? '',
    firstAt: at(HEADER.firstAt),
    startedAt: at(HEADER.startedAt),
    endedAt: state === STEP.running ? undefined : at(HEADER.endedAt),
    dueAt: isDue ? at(HEADER.dueAt) : undefined,
    reason: hasReason ? parts[HEADER.reason] : undefined,
    checkpoint: state === STEP.succeeded ? checkpointOf(parts, createdAt) : undefined,
    wait: state === STEP.waiting && !isLoop(parts) ? waitOf(parts) : undefined,
    map: mapOf(state, parts),
  };
}

type Parts = readonly string[];
type At = (position: number) => number | undefined;

function runningMap(parts: Parts, at: At): StepHeader {
  const startedAt = at(MAP_HEADER.startedAt);
  const map = {
    items: Number(parts[MAP_HEADER.items]),
    next: Number(parts[MAP_HEADER.next]),
    succeeded: Number(parts[MAP_HEADER.succeeded]),
    failed: Number(parts[MAP_HEADER.failed]),
    ...(parts[MAP_HEADER.retried] === RETRIED_MAP ? { isRetried: true } : {}),
  };
  return { ...EMPTY, state: STEP.mapRunning, startedAt, firstAt: startedAt, map };
}

function succeededMap(parts: Parts, at: At): StepHeader {
  const items = Number(parts[SUCCEEDED_MAP_HEADER.items]);
  const failed = Number(parts[SUCCEEDED_MAP_HEADER.failed]);
  const startedAt = at(SUCCEEDED_MAP_HEADER.startedAt);
  const endedAt = at(SUCCEEDED_MAP_HEADER.endedAt);
  const map = { items, next: items, succeeded: items - failed, failed };
  const endedBy = parts[SUCCEEDED_MAP_HEADER.endedBy];
  const ended = endedBy ? { ...map, endedBy } : map;
  return { ...EMPTY, state: STEP.mapSucceeded, startedAt, firstAt: startedAt, endedAt, map: ended };
}

function isLoop(parts: Parts): boolean {
  return parts[HEADER.waitKind] === LOOP_WAIT;
}

function mapOf(state: HeaderState, parts: Parts): StoredMap | undefined {
  if (state === STEP.failed) return failedMapOf(parts);
  if (state !== STEP.waiting || !isLoop(parts)) return undefined;
  // Between two iterations.
  const iterations = Number(parts[HEADER.subject]);
  return { items: iterations, next: iterations, succeeded: iterations, failed: 0 };
}

function waitOf(parts: Parts): StoredWait {
  const kind = parts[HEADER.waitKind] as WaitKind;
  return { kind, subject: parts[HEADER.subject] ?? '', answer: parts[HEADER.answer] ?? '' };
}

function failedMapOf(parts: Parts): StoredMap | undefined {
  if (!parts[FAILED_MAP_HEADER.items]) return undefined;
  return {
    items: Number(parts[FAILED_MAP_HEADER.items]),
    next: Number(parts[FAILED_MAP_HEADER.next]),
    succeeded: Number(parts[FAILED_MAP_HEADER.succeeded]),
    failed: Number(parts[FAILED_MAP_HEADER.failed]),
  };
}

/** An empty checksum stays visible: such a checkpoint is not verified, rather than not there. */
function checkpointOf(parts: Parts, createdAt: number): StoredCheckpoint | undefined {
  const checksum = parts[HEADER.checksum];
  if (checksum === undefined) return undefined;
  const ts = createdAt + Number(parts[HEADER.checkpointAt]);
  return { ts, seq: Number(parts[HEADER.seq]), checksum, previous: parts[HEADER.previous] ?? '' };
}

const EMPTY: StepHeader = {
  state: STEP.ready,
  failures: 0,
  crashes: 0,
  fence: undefined,
  attemptId: '',
  worker: '',
  firstAt: undefined,
  startedAt: undefined,
  endedAt: undefined,
  dueAt: undefined,
  reason: undefined,
  checkpoint: undefined,
  wait: undefined,
  map: undefined,
};
