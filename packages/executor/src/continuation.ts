import { makesItems } from '@flotilla/contracts';
import { countedEdges, type Plan, type PlanWork } from '@flotilla/engine';
import { createAttemptId, type EdgeArgument } from '@flotilla/state';
import { type Assignment, assignmentOf, type Chain, type WorkerHandlers } from './chain.ts';

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

/** Edges of a success with whom this worker would go on, and those it would go on with. */
interface Offer {
  edges: readonly EdgeArgument[];
  candidates: readonly Assignment[];
}

/** Computed once a plan and step, as what a worker is able to does not change. */
const offers = new WeakMap<WorkerHandlers, WeakMap<Plan, Map<number, Offer>>>();

function offerOf(plan: Plan, step: number, abilities: WorkerHandlers): Offer {
  let byPlan = offers.get(abilities);
  if (byPlan === undefined) {
    byPlan = new WeakMap();
    offers.set(abilities, byPlan);
  }
  let bySteps = byPlan.get(plan);
  if (bySteps === undefined) {
    bySteps = new Map();
    byPlan.set(plan, bySteps);
  }
  let offer = bySteps.get(step);
  if (offer === undefined) {
    const candidates: Assignment[] = [];
    const edges = edgesOfSuccess(plan, step).map((edge): EdgeArgument => {
      const next = loneSuccessor(plan, edge.group, abilities);
      if (next === undefined) return edge;
      candidates.push(next);
      return { ...edge, next: { key: next.key, attemptMs: next.work.timeouts.attemptMs } };
    });
    offer = { edges, candidates };
    bySteps.set(step, offer);
  }
  return offer;
}

export interface Continuation {
  edges: readonly EdgeArgument[];
  /** The attempt that the worker would go on with; undefined when there is nothing to go on with. */
  nextAttemptId: string | undefined;
  /** What the continued attempt reads beside what the chain knows. */
  sources: string[];
  wantsInput: boolean;
  nextItemAttemptMs: number | undefined;
}

/**
 * With whom the worker would go on after a step: a lone successor of one of its groups that it can make itself and
 * whose start needs no decision of the relay (no `when`, no branch, delay or map); of a map item the next item.
 */
export function continuationOf(chain: Chain, assignment: Assignment, abilities: WorkerHandlers): Continuation {
  const { plan } = chain;
  const { step, item, work } = assignment;
  if (item !== undefined) {
    const edges = edgesOfSuccess(plan, step.index);
    if (needsTimers(work)) {
      return { edges, nextAttemptId: undefined, sources: [], wantsInput: false, nextItemAttemptMs: undefined };
    }
    return {
      edges,
      nextAttemptId: createAttemptId(chain.runId),
      sources: chain.sourcesToClaim(work),
      wantsInput: chain.needsInput(work),
      nextItemAttemptMs: work.timeouts.attemptMs,
    };
  }
  const { edges, candidates } = offerOf(plan, step.index, abilities);
  // With several candidates it is not known which will go on: that one reads what it needs by itself.
  const only = candidates.length === 1 ? candidates[0]! : undefined;
  return {
    edges,
    nextAttemptId: candidates.length === 0 ? undefined : createAttemptId(chain.runId),
    sources: only === undefined ? [] : chain.sourcesToClaim(only.work, step.index),
    wantsInput: candidates.some((next) => chain.needsInput(next.work)),
    nextItemAttemptMs: undefined,
  };
}

/** Timers of queued and total time are set by the relay. */
function needsTimers({ timeouts: { queuedMs, totalMs } }: PlanWork): boolean {
  return queuedMs !== undefined || totalMs !== undefined;
}

function loneSuccessor(plan: Plan, group: number, abilities: WorkerHandlers): Assignment | undefined {
  const { members, branchTarget } = plan.groups[group]!;
  if (members.length !== 1 || branchTarget) return undefined;
  const step = plan.steps[members[0]!]!;
  if (makesItems(step) || step.when !== undefined || step.work === undefined) return undefined;
  if (!abilities.queues.has(step.work.queue)) return undefined;
  if (needsTimers(step.work)) return undefined;
  const assignment = assignmentOf(plan, String(step.index), abilities);
  return typeof assignment === 'string' ? undefined : assignment;
}
