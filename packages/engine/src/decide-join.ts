import type { JoinCounter } from './join-counter.ts';
import type { PlanGroup } from './plan.ts';

/** Why a step does not run although its needs have settled. */
export type JoinSkipReason = 'upstream-failed' | 'upstream-skipped' | 'not-chosen';

export type JoinDecision = { run: true } | { run: false; reason: JoinSkipReason };

const RUN: JoinDecision = { run: true };

/**
 * Whether a change of a group's counter makes the group ready. `all` and `settled` fire when nothing is pending, `any`
 * at the first success or, without one, when nothing is pending. A group fires once: later changes give false.
 */
export function groupFires(join: PlanGroup['join'], before: JoinCounter, after: JoinCounter): boolean {
  const lastEdge = before.pending > 0 && after.pending === 0;
  if (join !== 'any') return lastEdge;
  if (before.succeeded > 0) return false;
  return after.succeeded > 0 || lastEdge;
}

/**
 * What becomes of the members of a group that has fired, from the counter at that moment. For targets of branches the
 * counter's `succeeded` counts the branches that chose them (`settle-edges` sees to that), except with `any`.
 */
export function decideJoin(
  group: Pick<PlanGroup, 'join' | 'branchTarget' | 'needs'>,
  counter: JoinCounter,
): JoinDecision {
  if (group.needs === 0) return RUN;
  if (group.join === 'settled') {
    return group.branchTarget && counter.succeeded === 0 ? { run: false, reason: 'not-chosen' } : RUN;
  }
  if (group.join === 'any') {
    if (counter.succeeded > 0) return RUN;
    return { run: false, reason: counter.failed > 0 ? 'upstream-failed' : 'upstream-skipped' };
  }
  if (counter.failed > 0) return { run: false, reason: 'upstream-failed' };
  if (counter.succeeded > 0) return RUN;
  return { run: false, reason: group.branchTarget ? 'not-chosen' : 'upstream-skipped' };
}
