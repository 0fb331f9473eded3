import type { WorkflowDefinition } from '@flotilla/contracts';
import { MAX_STEPS, type StepDefinition } from '@flotilla/contracts';
import type { ProblemList } from './problem-list.ts';
import { workOf } from './work-of-step.ts';

/** Sums of declared costs may differ from their decimal value by so much. */
const COST_TOLERANCE = 1e-9;

/** How many steps there may be, as such and by the document's own budget. */
export function checkStepCount(stepCount: number, maxSteps: unknown, problems: ProblemList): void {
  if (stepCount === 0) problems.error('NO_STEPS', '/steps', 'a workflow has at least one step');
  if (stepCount > MAX_STEPS) {
    problems.error('TOO_MANY_STEPS', '/steps', `${stepCount} steps; a workflow has at most ${MAX_STEPS}`);
  }
  if (typeof maxSteps === 'number' && stepCount > maxSteps) {
    problems.error('BUDGET_EXCEEDED', '/budget/maxSteps', `${stepCount} steps; the budget allows ${maxSteps}`);
  }
}

/** Whether one attempt of each step fits the budget; a map counts once, for it may have one item. */
export function checkDeclaredCost(definition: WorkflowDefinition, problems: ProblemList): void {
  const budgetUSD = definition.budget?.costUSD;
  if (budgetUSD === undefined) return;
  let totalUSD = 0;
  for (const step of Object.values(definition.steps)) totalUSD += costOf(step);
  if (totalUSD <= budgetUSD + COST_TOLERANCE) return;
  const message = `one attempt of each step costs ${Number(totalUSD.toPrecision(12))} USD; the budget allows ${budgetUSD}`;
  problems.error('BUDGET_EXCEEDED', '/budget/costUSD', message);
}

function costOf(step: StepDefinition): number {
  return workOf(step)?.costUSD ?? 0;
}
