import type { FaultEntry, Recording } from '../recording.ts';
import type { Bounds } from '../violation.ts';

const DEFAULT_RECOVERY_MS = 30_000;

/** How long what a fault has hit may need until it goes on. */
export function recoveryBoundMs({ kind }: FaultEntry, { recoveryMs }: Bounds): number {
  return recoveryMs?.[kind] ?? recoveryMs?.['other'] ?? DEFAULT_RECOVERY_MS;
}

/** How much longer something may take between two moments because of the faults in between. */
export function excusedMs({ faults }: Recording, bounds: Bounds, fromAt: number, toAt: number): number {
  let excused = 0;
  for (const fault of faults) {
    const last = fault.endAt + recoveryBoundMs(fault, bounds);
    if (fault.startAt <= toAt && last >= fromAt) excused += Math.min(last, toAt) - Math.max(fault.startAt, fromAt);
  }
  return excused;
}
