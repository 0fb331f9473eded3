import type { JoinSkipReason } from './decide-join.ts';
import { DELTA_FAILED, DELTA_SETTLED, DELTA_SUCCEEDED } from './join-counter.ts';
import type { Plan, PlanEdge, PlanGroup } from './plan.ts';

/**
 * How a step settled, as its dependents see it. `failed` stands for quarantined too; a step that was skipped because
 * something upstream failed counts as failed, so that the whole cone below the failure is skipped for that reason. A
 * branch that succeeded is `{ chosen }`: the index of the step it chose, undefined when no case held.
 */
export type SettledOutcome =
  | 'succeeded'
  | 'failed'
  | 'skipped'
  | 'skipped-upstream-failed'
  | { chosen: number | undefined };

/** What to add to the counter of a group. */
export interface GroupDelta {
  group: number;
  delta: number;
}

/** The outcome of a step that is skipped: by its join, or because its `when` is false. */
export function outcomeOfSkip(reason: JoinSkipReason | 'when-false'): SettledOutcome {
  return reason === 'upstream-failed' ? 'skipped-upstream-failed' : 'skipped';
}

/** The counters that settling a step changes, one entry per group, in the order of the step's edges. */
export function settleEdges(plan: Plan, stepIndex: number, outcome: SettledOutcome): GroupDelta[] {
  const step = plan.steps[stepIndex];
  if (step === undefined) throw new RangeError(`the plan has no step ${stepIndex}`);
  const deltas = new Map<number, number>();
  for (const edge of step.edges) {
    const delta = deltaOf(edge, plan.groups[edge.group]!, outcome);
    deltas.set(edge.group, (deltas.get(edge.group) ?? 0) + delta);
  }
  return Array.from(deltas, ([group, delta]) => ({ group, delta }));
}

function deltaOf(edge: PlanEdge, group: PlanGroup, outcome: SettledOutcome): number {
  if (outcome === 'failed' || outcome === 'skipped-upstream-failed') return DELTA_FAILED;
  if (outcome === 'skipped') return DELTA_SETTLED;
  if (edge.kind === 'branch') {
    const chosen = typeof outcome === 'object' && outcome.chosen === edge.target;
    return chosen ? DELTA_SUCCEEDED : DELTA_SETTLED;
  }
  // A target of branches runs when one chose it: the success of an ordinary need must not look like a choice.
  return group.branchTarget && group.join !== 'any' ? DELTA_SETTLED : DELTA_SUCCEEDED;
}
