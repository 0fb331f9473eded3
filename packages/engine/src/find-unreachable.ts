import type { WorkflowDefinition } from '@flotilla/contracts';
import type { StepGraph } from './step-graph.ts';

/**
 * Steps that no input can make run, from the conditions that are plainly `true` or `false`: a `when` of false, a target
 * that no case can choose, and what needs only such steps. `sorted`: all steps, each
 * after its parents; the answer keeps that order.
 */
export function findUnreachable(definition: WorkflowDefinition, graph: StepGraph, sorted: readonly number[]): number[] {
  const never = new Set<number>();
  for (const index of sorted) {
    const step = definition.steps[graph.ids[index]!]!;
    if (isLiteral(step.when, false) || !canBeReached(index, definition, graph, never)) never.add(index);
  }
  return sorted.filter((index) => never.has(index));
}

function canBeReached(
  index: number,
  definition: WorkflowDefinition,
  graph: StepGraph,
  never: ReadonlySet<number>,
): boolean {
  const join = definition.steps[graph.ids[index]!]!.join ?? 'all';
  const needs = graph.needs[index]!;
  const branches = graph.branches[index]!;
  const canBeChosen = branches.some((branch) => !never.has(branch) && canChoose(branch, index, definition, graph));
  if (branches.length > 0 && join !== 'any') return canBeChosen;
  if (canBeChosen || join === 'settled') return true;
  return graph.parents[index]!.length === 0 || needs.some((need) => !never.has(need));
}

function canChoose(branch: number, target: number, definition: WorkflowDefinition, graph: StepGraph): boolean {
  const step = definition.steps[graph.ids[branch]!]!;
  if (step.kind !== 'branch') return false;
  const targetId = graph.ids[target]!;
  for (const { when, to } of step.cases) {
    if (isLiteral(when, false)) continue;
    if (to === targetId) return true;
    if (isLiteral(when, true)) return false;
  }
  return step.otherwise === targetId;
}

function isLiteral(source: string | undefined, value: boolean): boolean {
  return source?.trim() === String(value);
}
