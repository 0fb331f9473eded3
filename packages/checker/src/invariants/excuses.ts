import type { FaultEntry, Recording } from '../recording.ts';
import type { Bounds } from '../violation.ts';

const DEFAULT_RECOVERY_MS = 30_000;

/** How long what a fault has hit may need until it goes on. */
export function recoveryBoundMs({ kind }: FaultEntry, { recoveryMs }: Bounds): number {
  return recoveryMs?.[kind] ?? recoveryMs?.['other'] ?? DEFAULT_RECOVERY_MS;
}

/**
 * How much longer something may take between two moments because of the faults in between: the time in which at least one of
 * them went on or was being recovered from. What several of them cover excuses no more than what one does.
 */
export function excusedMs({ faults }: Recording, bounds: Bounds, fromAt: number, toAt: number): number {
  let excused = 0;
  let countedTo = fromAt;
  for (const fault of faults.toSorted((one, other) => one.startAt - other.startAt)) {
    const last = Math.min(toAt, fault.endAt + recoveryBoundMs(fault, bounds));
    const first = Math.max(countedTo, fault.startAt);
    if (last <= first) continue;
    excused += last - first;
    countedTo = last;
  }
  return excused;
}

/**
 * With `appendfsync everysec` Redis puts writing its append-only file off while an fsync is under way, for so long at most
 * (`flushAppendOnlyFile` in its aof.c), and answers all the same.
 */
const MOST_UNWRITTEN_MS = 2000;

/** Of something that was asked for and acknowledged between two moments. */
export interface Acknowledgement {
  /** When it was asked for. */
  startAt: number;
  /** When whoever asked was told. */
  endAt: number;
}

/**
 * How long before Redis was killed something was acknowledged that it may not have written; 0 when that was told later.
 * Undefined: it has to be there.
 */
export function unwrittenAgeMs({ faults }: Recording, { startAt, endAt }: Acknowledgement): number | undefined {
  const ages = faults.flatMap(({ startAt: killedAt, endAt: backAt, unwrittenUntil }) => {
    if (unwrittenUntil === undefined || startAt > unwrittenUntil || endAt > backAt) return [];
    const ageMs = Math.max(0, killedAt - endAt);
    return ageMs <= MOST_UNWRITTEN_MS ? [ageMs] : [];
  });
  return ages.length === 0 ? undefined : Math.min(...ages);
}

/** The same of a claim, whose fence is its time on Redis' clock: the attempt itself may go on for longer. */
export function unwrittenClaimAgeMs(recording: Recording, fence: number): number | undefined {
  return unwrittenAgeMs(recording, { startAt: fence, endAt: fence });
}

/** For what is found: its age where it is excused, else nothing. */
export function excusedBy(unwrittenAgeMs: number | undefined): { unwrittenAgeMs?: number } {
  return unwrittenAgeMs === undefined ? {} : { unwrittenAgeMs };
}
