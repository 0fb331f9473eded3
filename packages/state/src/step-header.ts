import type { StepStatus } from '@flotilla/contracts';

/**
 * A step's header as the Lua transitions write it: parts joined by `|`, the state first. Times and fences are offsets
 * from the run's creation in ms. Layouts by state:
 *
 * - R running: failures, crashes, fence, attemptId, worker, first, start, chain head, deadline
 * - S succeeded: failures, crashes, fence, attemptId, worker, first, start, end, checkpoint ts, seq, checksum, previous
 * - B backing off, Y ready again, P parked, F failed, Q quarantined, X cancelled, K skipped, D delaying:
 *   failures, crashes, fence, attemptId, worker, first, start, end, detail (B, D: due; P, X, K: reason)
 * - M map running: items, next, succeeded, failed, concurrency, tolerated, start; r where items of before a retry are kept
 * - V map succeeded: items, failed, start, end
 * - F map failed: as F, with items, next, succeeded, failed for the detail
 */
export type HeaderState = 'R' | 'S' | 'B' | 'Y' | 'P' | 'F' | 'Q' | 'X' | 'K' | 'D' | 'M' | 'V';

export const HEADER_STATUS: Record<HeaderState, StepStatus> = {
  R: 'running',
  S: 'succeeded',
  B: 'backing-off',
  Y: 'ready',
  P: 'parked',
  F: 'failed',
  Q: 'quarantined',
  X: 'cancelled',
  K: 'skipped',
  D: 'running',
  M: 'running',
  V: 'succeeded',
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
  map: { items: number; next: number; succeeded: number; failed: number; isRetried?: boolean } | undefined;
}

export interface StoredCheckpoint {
  ts: number;
  seq: number;
  checksum: string;
  previous: string;
}

const number = (part: string | undefined) => (part === undefined || part === '' ? undefined : Number(part));

/** Parses a header; offsets become times on Redis' clock when `createdAt` is the run's creation. */
export function parseStepHeader(header: string, createdAt: number): StepHeader {
  const parts = header.split('|');
  const state = parts[0] as HeaderState;
  const at = (index: number) => {
    const offset = number(parts[index]);
    return offset === undefined ? undefined : createdAt + offset;
  };
  if (state === 'M' || state === 'V') {
    const isDone = state === 'V';
    const items = Number(parts[1]);
    const failed = Number(parts[isDone ? 2 : 4]);
    return {
      ...EMPTY,
      state,
      startedAt: at(isDone ? 3 : 7),
      firstAt: at(isDone ? 3 : 7),
      endedAt: isDone ? at(4) : undefined,
      map: {
        items,
        next: isDone ? items : Number(parts[2]),
        succeeded: isDone ? items - failed : Number(parts[3]),
        failed,
        ...(!isDone && parts[8] === 'r' ? { isRetried: true } : {}),
      },
    };
  }
  return {
    state,
    failures: Number(parts[1]),
    crashes: Number(parts[2]),
    fence: at(3),
    attemptId: parts[4] ?? '',
    worker: parts[5] ?? '',
    firstAt: at(6),
    startedAt: at(7),
    endedAt: state === 'R' ? undefined : at(8),
    dueAt: state === 'B' || state === 'D' ? at(9) : undefined,
    reason: state === 'P' || state === 'X' || state === 'K' ? parts[9] : undefined,
    // An empty checksum stays visible: such a checkpoint is not verified, rather than not there.
    checkpoint:
      state === 'S' && parts[11] !== undefined
        ? { ts: createdAt + Number(parts[9]), seq: Number(parts[10]), checksum: parts[11], previous: parts[12] ?? '' }
        : undefined,
    map:
      state === 'F' && parts[9]
        ? { items: Number(parts[9]), next: Number(parts[10]), succeeded: Number(parts[11]), failed: Number(parts[12]) }
        : undefined,
  };
}

const EMPTY: StepHeader = {
  state: 'Y',
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
  map: undefined,
};
