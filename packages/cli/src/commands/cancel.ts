import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function cancelCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('cancel'))
    .description('cancel a run; the answer says what was stopped')
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const answer = await connectScheduler(terminal, options).cancel(runId);
      if (options.json) {
        printJson(terminal, answer);
        return;
      }
      const { receipt, status } = answer;
      if (receipt.alreadyEnded) printLine(terminal, `${runId} had ended before: ${status}`);
      else printLine(terminal, `${runId} ${status}`);
      if (receipt.stoppedSteps.length > 0) printLine(terminal, `stopped: ${receipt.stoppedSteps.join(', ')}`);
      if (receipt.pending.length > 0) printLine(terminal, `not ended yet: ${receipt.pending.join(', ')}`);
    });
}
