import type { Plan } from '@flotilla/engine';

/**
 * What the language's description says of joins and ends, worked out from the definition's text, not from compiled edges
 * and counters: the second opinion that the counters are compared with.
 */

export type Outcome = 'succeeded' | 'failed' | 'skipped' | 'skipped-upstream-failed' | { chosen: number | undefined };

/** How many of the edges into a group are open, and what those that are not came from. */
export interface Tally {
  pending: number;
  succeeded: number;
  failed: number;
}

interface EdgeIn {
  from: number;
  kind: 'need' | 'branch';
}

export interface GroupRules {
  join: 'all' | 'any' | 'settled';
  branchTarget: boolean;
  members: readonly number[];
  edges: readonly EdgeIn[];
}

export interface WorkflowRules {
  groups: readonly GroupRules[];
  /** By step: the groups that it feeds, ascending. */
  feeds: readonly (readonly number[])[];
  /** Steps that must have settled before the run may end. */
  endSteps: ReadonlySet<number>;
}

const known = new WeakMap<Plan, WorkflowRules>();

export function rulesOf(plan: Plan): WorkflowRules {
  let rules = known.get(plan);
  if (rules === undefined) {
    rules = workOut(plan);
    known.set(plan, rules);
  }
  return rules;
}

function workOut(plan: Plan): WorkflowRules {
  const { steps: definitions } = plan.definition;
  const indexOf = (id: string) => plan.steps.findIndex((step) => step.id === id);
  const branchesOf = (id: string) =>
    Object.entries(definitions).filter(([, step]) => {
      if (step.kind !== 'branch') return false;
      return step.otherwise === id || step.cases.some(({ to }) => to === id);
    });
  const groups = plan.groups.map(({ members }): GroupRules => {
    const { id } = plan.steps[members[0]!]!;
    const branches = branchesOf(id).map(([branch]) => indexOf(branch));
    const definition = definitions[id]!;
    const needs = (definition.needs ?? []).map(indexOf).filter((need) => !branches.includes(need));
    return {
      join: definition.join ?? 'all',
      branchTarget: branches.length > 0,
      members,
      edges: [
        ...needs.map((from) => ({ from, kind: 'need' as const })),
        ...branches.map((from) => ({ from, kind: 'branch' as const })),
      ],
    };
  });
  const feeds = plan.steps.map(({ index }) =>
    groups.flatMap(({ edges }, group) => (edges.some(({ from }) => from === index) ? [group] : [])),
  );
  const endSteps = new Set(
    plan.steps
      .map(({ index }) => index)
      .filter((index) => feeds[index]!.every((group) => groups[group]!.join === 'any')),
  );
  return { groups, feeds, endSteps };
}

export function tallyOf(group: GroupRules, outcomes: ReadonlyMap<number, Outcome>): Tally {
  const tally: Tally = { pending: 0, succeeded: 0, failed: 0 };
  for (const edge of group.edges) {
    const outcome = outcomes.get(edge.from);
    if (outcome === undefined) tally.pending += 1;
    else if (outcome === 'failed' || outcome === 'skipped-upstream-failed') tally.failed += 1;
    else if (outcome !== 'skipped' && countsAsSuccess(group, edge, outcome)) tally.succeeded += 1;
  }
  return tally;
}

function countsAsSuccess(
  group: GroupRules,
  edge: EdgeIn,
  outcome: 'succeeded' | { chosen: number | undefined },
): boolean {
  if (edge.kind === 'branch') return typeof outcome === 'object' && outcome.chosen === group.members[0];
  return !group.branchTarget || group.join === 'any';
}

/** Whether a group's members may be decided on: everything has settled, or for `any` something succeeded. */
export function hasFired(group: GroupRules, tally: Tally): boolean {
  return tally.pending === 0 || (group.join === 'any' && tally.succeeded > 0);
}

export type Decision = 'run' | 'upstream-failed' | 'upstream-skipped' | 'not-chosen';

/** What becomes of the members of a group that has fired. */
export function decide(group: GroupRules, tally: Tally): Decision {
  if (group.edges.length === 0) return 'run';
  switch (group.join) {
    case 'settled':
      return group.branchTarget && tally.succeeded === 0 ? 'not-chosen' : 'run';
    case 'any':
      if (tally.succeeded > 0) return 'run';
      return tally.failed > 0 ? 'upstream-failed' : 'upstream-skipped';
    case 'all':
      if (tally.failed > 0) return 'upstream-failed';
      if (tally.succeeded > 0) return 'run';
      return group.branchTarget ? 'not-chosen' : 'upstream-skipped';
  }
}
