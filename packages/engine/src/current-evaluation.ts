import type { EvaluationCost } from './expression-cost.ts';
import type { Scope } from './plan.ts';

/** The evaluation that is going on. Evaluating is synchronous, so there is one at a time (or one inside another). */
export interface Evaluation {
  scope: Scope;
  cost: EvaluationCost;
}

let current: Evaluation | undefined;

/** Called by the bound places of an expression's tree. */
export function currentEvaluation(): Evaluation {
  if (current === undefined) throw new Error('no expression is being evaluated');
  return current;
}

/**
 * Runs `work` with its own evaluation; afterwards the one outside, if any, goes on. Errors have no stack meanwhile: `||`
 * and `exists` forgive any number of them, and taking down a stack costs more than everything else about an error.
 */
export function withEvaluation<Result>(evaluation: Evaluation, work: () => Result): Result {
  const outside = current;
  const { stackTraceLimit } = Error;
  current = evaluation;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    current = outside;
  }
}
