import { type FaultId, faultOf } from './fault-table.ts';
import type { PlannedFault } from './plan-faults.ts';

/** Starting a process again, and a machine that is busy. */
const SLACK_MS = 4000;

/** Each way of one fault by itself, one after the other: the next comes when the bound of the one before has passed. */
export function planEachWay(id: FaultId, times = 1): PlannedFault[] {
  const { variants, boundMs } = faultOf(id);
  let atMs = 0;
  return Array.from({ length: times }, () => variants)
    .flat()
    .map((variant, index) => {
      const planned = { number: index + 1, id, variant, atMs, slot: index };
      atMs += variant.holdMs + boundMs + SLACK_MS;
      return planned;
    });
}
