import { type CancelReceipt, isTerminalRunStatus, type RECEIPT_LISTS } from '@flotilla/contracts';
import { Command } from 'commander';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface CancelOptions extends RemoteOptions {
  wait?: boolean;
  timeout: number;
}

/** The longest that the API waits within one call. */
const LONGEST_CALL_MS = 60_000;
const LONGEST_WAIT_S = 86_400;

export function cancelCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('cancel'))
    .description('cancel a run, and say what was stopped and what is still pending')
    .argument('<run>', 'id of the run')
    .option('--wait', 'wait until the run has ended; exit code 1 when it has not by the deadline')
    .option('--timeout <seconds>', 'deadline of --wait', wholeNumber(1, LONGEST_WAIT_S), 60)
    .action(async (runId: string, options: CancelOptions) => {
      const cancel = options.wait === true ? cancelAndWait : cancelOnce;
      const answer = await cancel(runId, options, terminal).catch((error: unknown) => {
        terminal.signal.throwIfAborted();
        throw error;
      });
      const hasEnded = isTerminalRunStatus(answer.status);
      if (options.json) printJson(terminal, answer);
      else tell(terminal, runId, answer, hasEnded);
      if (options.wait === true && !hasEnded) {
        terminal.writeError(`flotilla: ${plainText(runId)} has not ended within ${options.timeout} s\n`);
        exit(EXIT.failed);
      }
    });
}

function cancelOnce(runId: string, options: CancelOptions, terminal: Terminal): Promise<CancelReceipt> {
  return connectScheduler(terminal, options).cancel(runId, { signal: terminal.signal });
}

/** Cancelling again is harmless: it is how a wait that is longer than one call goes on. */
async function cancelAndWait(runId: string, options: CancelOptions, terminal: Terminal): Promise<CancelReceipt> {
  const client = connectScheduler(terminal, options);
  const endsAtMs = performance.now() + options.timeout * 1000;
  for (;;) {
    const leftMs = endsAtMs - performance.now();
    const waitMs = Math.max(0, Math.min(LONGEST_CALL_MS, Math.round(leftMs)));
    const answer = await client.cancel(runId, { waitMs, signal: terminal.signal });
    if (isTerminalRunStatus(answer.status) || performance.now() >= endsAtMs) return answer;
  }
}

function tell(terminal: Terminal, runId: string, { receipt, status }: CancelReceipt, hasEnded: boolean): void {
  if (!receipt.alreadyEnded) printLine(terminal, `${runId} ${status}`);
  else if (hasEnded) printLine(terminal, `${runId} had ended before: ${status}`);
  else printLine(terminal, `${runId} was ending before, and will be ${receipt.outcome}`);
  const list = (what: string, field: (typeof RECEIPT_LISTS)[number], names: readonly string[]) => {
    const omitted = receipt.omitted?.[field];
    const more = omitted === undefined ? '' : ` and ${omitted} more`;
    if (names.length > 0) printLine(terminal, plainText(`${what}: ${names.join(', ')}${more}`));
  };
  const nameOf = ({ stepId, use }: { stepId: string; use: string }) => `${stepId} (${use})`;
  list('stopped', 'stoppedSteps', receipt.stoppedSteps);
  list('may still go on outside, ignoring its signal', 'abandonedSteps', receipt.abandonedSteps ?? []);
  list('had ended by itself', 'finishedSteps', receipt.finishedSteps);
  list('could not be stopped, its worker died', 'lostSteps', receipt.lostSteps);
  list('released', 'released', receipt.released);
  list('compensated', 'compensated', receipt.compensated);
  list('cleaned up', 'cleanedUp', receipt.cleanedUp.map(nameOf));
  list(
    'NOT cleaned up',
    'failedCleanups',
    receipt.failedCleanups.map(({ error, ...cleanup }) => `${nameOf(cleanup)}: ${error?.message ?? 'failed'}`),
  );
  list('still to be cleaned up', 'pendingCleanups', receipt.pendingCleanups.map(nameOf));
  list('still running', 'pending', receipt.pending);
  if (hasEnded) return;
  printLine(terminal, 'no further step starts, and the running ones have been told to stop;');
  printLine(terminal, `wait for them with: ${COMMAND} cancel ${runId} --wait`);
}
