import type { RunUsage } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { printJson, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function usageCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('usage'))
    .description('show what the attempts of a run have used, failed and lost ones included, and its budget')
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const usage = await connectScheduler(terminal, options).usage(runId);
      if (options.json) printJson(terminal, usage);
      else printTable(terminal, ['', 'USED', 'BUDGET', 'SHARE'], rowsOf(usage));
    });
}

function rowsOf({ costUSD, tokens, budget }: RunUsage): string[][] {
  return [
    ['USD', formatUsd(costUSD), formatBudget(budget?.costUSD, formatUsd), formatShare(costUSD, budget?.costUSD)],
    ['tokens', String(tokens), formatBudget(budget?.tokens, String), formatShare(tokens, budget?.tokens)],
  ];
}

/** Calls of a model cost fractions of a cent. */
const formatUsd = (amount: number): string => amount.toFixed(4);

const formatBudget = (limit: number | undefined, format: (amount: number) => string): string =>
  limit === undefined ? 'none' : format(limit);

const formatShare = (used: number, limit: number | undefined): string =>
  limit === undefined || limit === 0 ? '' : `${Math.round((used / limit) * 100)} %`;
