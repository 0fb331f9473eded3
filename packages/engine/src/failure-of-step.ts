import type { StepError } from '@flotilla/contracts';
import { canonicalJson } from './canonical-json.ts';
import { type CountedEdge, countedEdges } from './counted-edges.ts';
import type { Plan, PlanStep } from './plan.ts';
import { runErrorOf } from './run-error.ts';

/** What the transition that fails a step, or one item of it, takes from the plan. */
export interface FailureOfStep {
  errorJson: string;
  /** What groups of errors are told apart by; absent where no handler is involved. */
  handler: string | undefined;
  failFast: boolean;
  /** The step's failure is not the run's. */
  tolerated: boolean;
  endStep: boolean;
  hasTotalTimer: boolean;
  /** Of an item: the key of its map. */
  parentKey: string | undefined;
  /** The run's error if this ends it. */
  runErrorJson: string;
  edges: CountedEdge[];
  /** Of an item: what the map's success would count. */
  successEdges?: CountedEdge[];
}

export function failureOfStep(
  plan: Plan,
  { step, item }: { step: PlanStep; item: number | undefined },
  error: StepError,
): FailureOfStep {
  const failure: FailureOfStep = {
    errorJson: canonicalJson(error),
    handler: step.work?.use,
    failFast: plan.failFast,
    tolerated: step.tolerated,
    endStep: step.endStep,
    hasTotalTimer: step.work?.timeouts.totalMs !== undefined,
    parentKey: item === undefined ? undefined : String(step.index),
    runErrorJson: canonicalJson(runErrorOf(step, item, error)),
    edges: countedEdges(plan, step.index, 'failed'),
  };
  if (item !== undefined) failure.successEdges = countedEdges(plan, step.index, 'succeeded');
  return failure;
}
