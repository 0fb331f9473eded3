import type { ProcessEntry } from '@flotilla/checker';
import { faultOf, MIX_BOUND_MS } from './fault-table.ts';
import type { MadeFault } from './run-chaos.ts';

/**
 * What each fault's bound was, given what went on beside it. By itself it is that of the table. With others it is that of
 * mixes, and the time in which nothing could go on at all comes on top: no Redis, or no scheduler. In both cases the time
 * comes on top in which the only worker was away that could make a step.
 */
export function withBounds(made: readonly MadeFault[]): MadeFault[] {
  return made.map((fault) => {
    const ownMs = faultOf(fault.planned.id).boundMs + (fault.awayMs ?? 0);
    const others = made.filter((other) => other !== fault);
    const isAlone = others.every((other) => other.startAt > fault.endAt + ownMs || goesOnUntil(other) < fault.startAt);
    if (isAlone) return { ...fault, isAlone, boundMs: ownMs };
    const leastMs = Math.max(ownMs, MIX_BOUND_MS);
    return { ...fault, isAlone, boundMs: leastMs + outageMs(others, fault.startAt, fault.endAt + leastMs) };
  });
}

const goesOnUntil = ({ endAt, planned }: MadeFault): number => endAt + faultOf(planned.id).boundMs;

function isOutage({ planned: { id, variant } }: MadeFault): boolean {
  return faultOf(id).hold === 'redis' || (id === 'F5' && variant.name === 'all');
}

/** How long there was an outage in the time that a fault has to be recovered from, which is longer by each of them. */
function outageMs(faults: readonly MadeFault[], fromAt: number, toAt: number): number {
  let total = 0;
  let countedTo = fromAt;
  for (const { startAt, endAt } of faults.filter(isOutage).sort((a, b) => a.startAt - b.startAt)) {
    if (startAt < toAt + total) total += Math.max(0, endAt - Math.max(startAt, countedTo));
    countedTo = Math.max(countedTo, endAt);
  }
  return total;
}

/** Drain time and what comes on top of it, in `apps/worker/src/run-worker.ts`. */
const LONGEST_DRAIN_MS = 20_000;
const GAVE_UP_DRAINING = 1;

/**
 * A worker that is to end while Redis is away cannot hand back what it holds: it says so, leaves that to its lease, and
 * ends with 1.
 */
export function excuseDrains(processes: readonly ProcessEntry[], made: readonly MadeFault[]): ProcessEntry[] {
  return processes.map((entry) => {
    const { exit, planned } = entry;
    const at = exit?.at;
    if (exit?.code !== GAVE_UP_DRAINING || planned?.codes === undefined || at === undefined) return entry;
    const hadNoRedis = made.some(
      (fault) => isOutage(fault) && fault.startAt < at && fault.endAt > at - LONGEST_DRAIN_MS,
    );
    return hadNoRedis ? { ...entry, planned: { codes: [...planned.codes, GAVE_UP_DRAINING] } } : entry;
  });
}
