import type { StepStatus } from '@flotilla/contracts';
import type { RunStep } from '../use-run-steps.ts';

/** A box of the graph: one step, or several alike that are folded into one. */
export interface GraphNode {
  id: string;
  label: string;
  members: readonly string[];
}

interface GraphEdge {
  id: string;
  from: string;
  to: string;
}

export interface GraphPlan {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
  isFolded: boolean;
}

/** Graphs with more steps open folded: nobody reads a thousand boxes. */
export const MOST_UNFOLDED_STEPS = 150;

/** What does not change while a run goes on: boxes and lines. */
export function planGraph(steps: readonly RunStep[], isFolded: boolean): GraphPlan {
  const groupOf = isFolded ? groupByDepth(steps) : new Map(steps.map(({ view }) => [view.stepId, view.stepId]));
  const members = Map.groupBy(steps, ({ view }) => groupOf.get(view.stepId) ?? view.stepId);
  const nodes = [...members].map(([id, group]): GraphNode => {
    const [first] = group;
    const label = group.length === 1 ? nameOf(first) : `${kindOf(first)} × ${group.length}`;
    return { id, label, members: group.map(({ view }) => view.stepId) };
  });
  return { nodes, edges: edgesBetween(steps, groupOf), isFolded };
}

function edgesBetween(steps: readonly RunStep[], groupOf: ReadonlyMap<string, string>): GraphEdge[] {
  const edges = new Map<string, GraphEdge>();
  for (const { view } of steps) {
    const to = groupOf.get(view.stepId);
    for (const need of view.needs ?? []) {
      const from = groupOf.get(need);
      if (from === undefined || to === undefined || from === to) continue;
      const id = `${from} ${to}`;
      edges.set(id, { id, from, to });
    }
  }
  return [...edges.values()];
}

/** Steps of the same handler at the same depth of the graph are alike. */
function groupByDepth(steps: readonly RunStep[]): Map<string, string> {
  const depths = depthsOf(steps);
  return new Map(steps.map((step) => [step.view.stepId, `${depths.get(step.view.stepId) ?? 0} ${kindOf(step)}`]));
}

/** The definition's order puts needs first, so one pass is enough. */
function depthsOf(steps: readonly RunStep[]): Map<string, number> {
  const depths = new Map<string, number>();
  for (const { view } of steps) {
    const depth = (view.needs ?? []).reduce((most, need) => Math.max(most, (depths.get(need) ?? 0) + 1), 0);
    depths.set(view.stepId, depth);
  }
  return depths;
}

function nameOf(step: RunStep | undefined): string {
  return step?.view.title ?? step?.view.stepId ?? '';
}

/**
 * What a step does. Imported graphs give all steps one handler and number them: there the name without its number says
 * more.
 */
function kindOf(step: RunStep | undefined): string {
  const { use, stepId = '', kind = '' } = step?.view ?? {};
  if (use !== undefined && !use.startsWith('flotilla.')) return use;
  const name = stepId.replace(/[_-]?(?:ID)?\d[\d_-]*$/, '');
  return name === stepId || name === '' ? (use ?? kind) : name;
}

/** How many members of a box are in which status. */
export function countStatuses(
  members: readonly string[],
  statusOf: (stepId: string) => StepStatus,
): Map<StepStatus, number> {
  const counts = new Map<StepStatus, number>();
  for (const member of members) {
    const status = statusOf(member);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}

/** The status that a box with several members shows: the one that somebody has to look at. */
const URGENCY: readonly StepStatus[] = [
  ...(['failed', 'quarantined', 'parked', 'backing-off', 'running', 'ready', 'waiting'] as const),
  ...(['cancelled', 'skipped', 'succeeded'] as const),
];

export function leadingStatus(counts: ReadonlyMap<StepStatus, number>): StepStatus {
  return URGENCY.find((status) => (counts.get(status) ?? 0) > 0) ?? 'waiting';
}
