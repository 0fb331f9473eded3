import { type FaultId, faultOf } from './fault-table.ts';
import type { PlannedFault } from './plan-faults.ts';

/** Each way of one fault, `times` over, to be made one after the other. */
export function planEachWay(id: FaultId, times = 1): PlannedFault[] {
  return Array.from({ length: times }, () => faultOf(id).variants)
    .flat()
    .map((variant, index) => ({ number: index + 1, id, variant, atMs: 0, slot: index }));
}
