import type { WorkflowDefinition } from '@flotilla/contracts';
import type { JoinRule, PlanEdge, PlanGroup } from './plan.ts';
import type { StepGraph } from './step-graph.ts';

export interface Groups {
  groups: readonly PlanGroup[];
  /** By step: the group that makes it ready. */
  groupOf: readonly number[];
  /** By step: its edges out, by group ascending. */
  edgesOf: readonly (readonly PlanEdge[])[];
  entryGroup: number | undefined;
}

/**
 * Puts steps with the same needs and join into one group, which has one counter in a run. A target of branches is
 * alone in its group: another target of the same branch can have another fate. Linear in steps and edges.
 */
export function buildGroups(definition: WorkflowDefinition, graph: StepGraph): Groups {
  const groups: (PlanGroup & { members: number[] })[] = [];
  const groupOf: number[] = [];
  const edgesOf: PlanEdge[][] = graph.ids.map(() => []);
  const byKey = new Map<string, number>();
  let entryGroup: number | undefined;
  for (const [step, id] of graph.ids.entries()) {
    const branches = graph.branches[step]!;
    const needs = graph.needs[step]!;
    const branchTarget = branches.length > 0;
    // Without needs there is nothing to join: all entry steps are in one group.
    const isEntry = needs.length === 0 && !branchTarget;
    const join: JoinRule = isEntry ? 'all' : (definition.steps[id]!.join ?? 'all');
    const key = branchTarget ? `target ${step}` : `${join} ${needs.join(',')}`;
    const known = byKey.get(key);
    if (known !== undefined) {
      groupOf.push(known);
      groups[known]!.members.push(step);
      continue;
    }
    const index = groups.length;
    byKey.set(key, index);
    groupOf.push(index);
    groups.push({ index, join, branchTarget, needs: needs.length + branches.length, members: [step] });
    if (isEntry) entryGroup = index;
    for (const need of needs) edgesOf[need]!.push({ group: index, kind: 'need' });
    for (const branch of branches) edgesOf[branch]!.push({ group: index, kind: 'branch', target: step });
  }
  return { groups, groupOf, edgesOf, entryGroup };
}
