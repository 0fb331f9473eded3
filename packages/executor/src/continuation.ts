import { countedEdges, type Plan } from '@flotilla/engine';
import { type EdgeArgument, randomBytesPooled } from '@flotilla/state';
import { type Abilities, type Assignment, assignmentOf, type Chain } from './chain.ts';

export function createAttemptId(): string {
  return randomBytesPooled(12).toString('base64url');
}

/** Edges of a success, computed once a plan and step: most steps of most runs succeed. */
const successEdges = new WeakMap<Plan, Map<number, EdgeArgument[]>>();

export function edgesOfSuccess(plan: Plan, step: number): readonly EdgeArgument[] {
  let bySteps = successEdges.get(plan);
  if (bySteps === undefined) {
    bySteps = new Map();
    successEdges.set(plan, bySteps);
  }
  let edges = bySteps.get(step);
  if (edges === undefined) {
    edges = countedEdges(plan, step, 'succeeded');
    bySteps.set(step, edges);
  }
  return edges;
}

export interface Continuation {
  edges: readonly EdgeArgument[];
  /** What the continued attempt reads beside what the chain knows. */
  sources: string[];
  wantsInput: boolean;
  nextItem: { attemptId: string; attemptMs: number } | undefined;
}

/**
 * With whom the worker would go on after a step: a lone successor of one of its groups that it can make itself and
 * whose start needs no decision of the relay (no `when`, no branch, delay or map); of a map item the next item.
 */
export function continuationOf(
  chain: Chain,
  assignment: Assignment,
  abilities: Abilities,
  attemptMs: (of: Assignment) => number,
): Continuation {
  const { plan } = chain;
  const { step, item } = assignment;
  const edges = edgesOfSuccess(plan, step.index);
  if (item !== undefined) {
    const nextItem = { attemptId: createAttemptId(), attemptMs: attemptMs(assignment) };
    const sources = chain.missingSources(assignment.work).map(String);
    return { edges, sources, wantsInput: chain.needsInput(assignment.work), nextItem };
  }
  const candidates: { at: number; next: Assignment }[] = [];
  edges.forEach((edge, at) => {
    const next = loneSuccessor(plan, edge.group, abilities);
    if (next !== undefined) candidates.push({ at, next });
  });
  if (candidates.length === 0) return { edges, sources: [], wantsInput: false, nextItem: undefined };
  const withNext = edges.slice();
  for (const { at, next } of candidates) {
    withNext[at] = {
      ...edges[at]!,
      next: { key: next.key, attemptId: createAttemptId(), attemptMs: attemptMs(next) },
    };
  }
  // With several candidates it is not known which will go on: that one reads what it needs by itself.
  const only = candidates.length === 1 ? candidates[0]!.next : undefined;
  const sources = only === undefined ? [] : chain.missingSources(only.work, step.index).map(String);
  const wantsInput = candidates.some(({ next }) => chain.needsInput(next.work));
  return { edges: withNext, sources, wantsInput, nextItem: undefined };
}

function loneSuccessor(plan: Plan, group: number, abilities: Abilities): Assignment | undefined {
  const { members, branchTarget } = plan.groups[group]!;
  if (members.length !== 1 || branchTarget) return undefined;
  const step = plan.steps[members[0]!]!;
  if (step.kind === 'map' || step.when !== undefined || step.work === undefined) return undefined;
  if (!abilities.queues.has(step.work.queue)) return undefined;
  const { queuedMs, totalMs } = step.work.timeouts;
  // Timers of queued and total time are set by the relay.
  if (queuedMs !== undefined || totalMs !== undefined) return undefined;
  const assignment = assignmentOf(plan, String(step.index), abilities);
  return typeof assignment === 'string' ? undefined : assignment;
}
