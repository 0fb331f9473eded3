import { findRecoveries, findViolations, rejectedAttempts } from '@flotilla/checker';
import type { MachineTimeline, RunRecord } from '@flotilla/testing';

/** A lease of 9 s, one look at the leases, one dispatch. */
export const MOST_WAIT_MS = 12_000;
/** Passes on any machine; what is beyond it is the machine's as well as the engine's. */
const LEASE_MS = 9000;

/** How long a step waited for another worker on a machine that nobody else uses. */
export function waitOf(machine: MachineTimeline, diedAt: number, waitedMs: number): number {
  return LEASE_MS + machine.between(diedAt + LEASE_MS, diedAt + waitedMs);
}

/** What a test did to the workers: worker id -> wall clock. */
export interface Faults {
  diedAt: ReadonlyMap<string, number>;
  /** Stopped beyond their lease, then continued. */
  pausedAt: ReadonlyMap<string, number>;
}

export interface RecordedFaults extends Faults {
  /** Recorded while they happened. */
  machine: MachineTimeline;
}

/** What the faults must not have caused, and what they must; none when the promises held. */
export function findBrokenPromises(record: RunRecord, faults: RecordedFaults): string[] {
  return [
    ...findViolations(record),
    ...findLongWaits(record, faults),
    ...findUnjustLosses(record, faults),
    ...findUnrefused(record, faults),
  ];
}

/** G10: steps whose worker died and that were not started again in time. */
function findLongWaits(record: RunRecord, { diedAt, pausedAt, machine }: RecordedFaults): string[] {
  const goneAt = new Map([...diedAt, ...pausedAt]);
  return findRecoveries(record, goneAt)
    .filter(({ worker, waitedMs }) => !(waitOf(machine, goneAt.get(worker) ?? Number.NaN, waitedMs) <= MOST_WAIT_MS))
    .map(
      ({ stepId, worker, lostAfterMs, waitedMs }) =>
        `G10 ${record.run.runId} ${stepId} waited ${waitedMs} ms (noticed after ${lostAfterMs} ms) after ${worker} died`,
    );
}

/** G11: attempts that were taken from workers which lived all the time. */
export function findUnjustLosses({ run, events }: RunRecord, { diedAt, pausedAt }: Faults): string[] {
  return events
    .filter(({ type, worker = '' }) => type === 'attempt-lost' && !diedAt.has(worker) && !pausedAt.has(worker))
    .map(({ stepId, worker }) => `G11 ${run.runId} ${stepId} was taken from ${worker}, which is alive`);
}

/** G3: results of paused workers that came after their lease had run out and were not refused and recorded. */
function findUnrefused(record: RunRecord, { pausedAt }: Faults): string[] {
  const refused = new Set(rejectedAttempts(record).map(({ attemptId }) => attemptId));
  return record.events
    .filter(({ type, worker = '' }) => type === 'attempt-lost' && pausedAt.has(worker))
    .filter(({ attemptId }) => !refused.has(attemptId))
    .map(({ stepId, worker }) => `G3 the late result of ${stepId} on ${worker} is not recorded as refused`);
}
