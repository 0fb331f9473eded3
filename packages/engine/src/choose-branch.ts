import { evaluateCondition } from './evaluate-expression.ts';
import { EvaluationBudget } from './evaluation-budget.ts';
import type { PlanStep, Scope } from './plan.ts';

/**
 * The step that a branch chooses: the first case whose condition holds, else `otherwise`, else none. Conditions after
 * the one that holds are not evaluated. Error: `EXPRESSION_FAILED`.
 */
export function chooseBranch(step: PlanStep, scope: Scope): number | undefined {
  const budget = new EvaluationBudget();
  for (const { when, to } of step.cases ?? []) if (evaluateCondition(when, scope, budget)) return to;
  return step.otherwise;
}
