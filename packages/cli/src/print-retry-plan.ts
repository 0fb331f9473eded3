import type { RetryPlan, RunAgainReason, StepToRunAgain } from '@flotilla/contracts';
import { COMMAND } from './command-name.ts';
import { counted } from './counted.ts';
import { plainText } from './plain-text.ts';
import { printLine, printTable } from './print-table.ts';
import type { Terminal } from './terminal.ts';

const WHY: Record<RunAgainReason, string> = {
  failed: 'it failed',
  unsettled: 'it had not settled',
  undone: 'it was undone',
  'asked-for': 'asked for',
  'needs-one': 'it needs one of them',
};

/** What a retry or redrive makes again, what was undone, and what nobody knows to be undone. */
export function printRetryPlan(terminal: Terminal, runId: string, plan: RetryPlan): void {
  const { counts, steps, leftFailed, undone, failedCleanups } = plan;
  if (steps.length > 0) {
    printTable(
      terminal,
      ['RUNS AGAIN', 'BECAUSE', 'IDEMPOTENCY KEY'],
      steps.map((step) => [step.stepId, WHY[step.why], keyOf(step)]),
    );
  }
  const left = counts.again - steps.length;
  if (left > 0) printLine(terminal, `… and ${counted(left, 'more step')}`);
  if (counts.first > 0) printLine(terminal, `${counted(counts.first, 'step')} for the first time`);
  if (leftFailed.length > 0) printLine(terminal, `stay failed: ${leftFailed.join(', ')}`);
  if (counts.undone > 0) printLine(terminal, `undone when the run ended: ${namesOf(undone)}`);
  for (const { number, stepId, use, error } of failedCleanups) {
    const why = error === undefined ? '' : ` (${error.code}: ${plainText(error.message)})`;
    printLine(
      terminal,
      `NOT known to be undone: ${stepId}, for its cleanup ${number} (${use}) failed${why}; it runs again under its old key`,
    );
  }
  if (failedCleanups.length > 0) {
    printLine(terminal, `to undo it first: ${COMMAND} cleanups retry ${runId} NUMBER`);
  }
}

function keyOf({ newKey, idempotencyKey, items }: StepToRunAgain): string {
  if (items !== undefined) return `${counted(items.again, 'item')}, ${items.newKeys} with new keys`;
  if (idempotencyKey === undefined) return '';
  return `${idempotencyKey} (${newKey ? 'new' : 'as before'})`;
}

function namesOf(undone: RetryPlan['undone']): string {
  return undone.map(({ stepId, use }) => `${stepId} (${use})`).join(', ');
}
