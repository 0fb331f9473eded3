import { Command } from 'commander';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { printRetryPlan } from '../print-retry-plan.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface RetryOptions extends RemoteOptions {
  from?: string;
  dryRun?: boolean;
}

export function retryCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('retry'))
    .description('resume a finished run from its failed steps; completed work is kept')
    .argument('<run>', 'id of the run')
    .option('--from <step>', 'also rerun this step and everything that depends on it')
    .option('--dry-run', 'only show what it would do')
    .action(async (runId: string, options: RetryOptions) => {
      const { from, dryRun } = options;
      const retried = await connectScheduler(terminal, options).retry(runId, {
        signal: terminal.signal,
        ...(from === undefined ? {} : { from }),
        ...(dryRun === undefined ? {} : { dryRun }),
      });
      if (options.json) {
        printJson(terminal, retried);
        return;
      }
      const { status, opening, alreadyRetried, plan } = retried;
      if (alreadyRetried) printLine(terminal, `${runId} had been retried before: ${status}`);
      else if (dryRun === true)
        printLine(terminal, `${runId} is ${status}; it would be opened for the ${ordinal(opening)} time`);
      else printLine(terminal, `${runId} goes on: ${status}, opened for the ${ordinal(opening)} time`);
      if (plan !== undefined) printRetryPlan(terminal, runId, plan);
      if (dryRun !== true) printLine(terminal, `follow it with: ${COMMAND} show ${runId}`);
    });
}

function ordinal(count: number): string {
  const endings: Record<string, string> = { one: 'st', two: 'nd', few: 'rd', other: 'th' };
  return `${count}${endings[new Intl.PluralRules('en', { type: 'ordinal' }).select(count)]}`;
}
