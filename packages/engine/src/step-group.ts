import type { Plan } from './plan.ts';

/** What says whether a step may begin, as state asks for it. */
export function stepGroupOf(plan: Plan, step: number): { group: number; any: boolean; initial: number } {
  const { group } = plan.steps[step]!;
  const { join, needs } = plan.groups[group]!;
  return { group, any: join === 'any', initial: needs };
}
