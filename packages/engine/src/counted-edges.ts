import type { Plan } from './plan.ts';
import { type SettledOutcome, settleEdges } from './settle-edges.ts';

/** An edge with all that counting it down needs: a counter is stored only from its first change on. */
export interface CountedEdge {
  group: number;
  delta: number;
  /** Where the counter starts: the number of edges into the group. */
  initial: number;
  /** True for join `any`, which fires at the first success. */
  any: boolean;
}

/** What settling a step changes, for the transition that settles it. */
export function countedEdges(plan: Plan, stepIndex: number, outcome: SettledOutcome): CountedEdge[] {
  return settleEdges(plan, stepIndex, outcome).map(({ group, delta }) => {
    const { needs, join } = plan.groups[group]!;
    return { group, delta, initial: needs, any: join === 'any' };
  });
}
