import { MAX_TEMPLATE_COST } from './expression-cost.ts';
import { ResultAllowance } from './result-allowance.ts';

/**
 * What everything that is evaluated in one go may take together: the expressions of a template, the cases of a branch, or
 * a single condition. Bounds on each expression alone would say nothing of ten thousand of them.
 */
export class EvaluationBudget {
  /** Work, in the units of `EvaluationCost`. */
  costLeft = MAX_TEMPLATE_COST;
  readonly result = new ResultAllowance();
}
