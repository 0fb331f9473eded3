import type { FlotillaClient } from '@flotilla/client';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../print-table.ts';
import type { Action } from '../program.ts';
import { WAIT_AS_LONG_AS_IT_TAKES_MS, watchRun } from '../progress/watch-run.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';
import { outcomeOf, printOutcome } from './run.ts';

export function watchCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('watch'))
    .description('show the progress of a run until it has ended; exit code 1 when it did not succeed')
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const client = connectScheduler(terminal, options);
      const run = await (options.json === true
        ? client.wait(runId, { signal: terminal.signal, timeoutMs: WAIT_AS_LONG_AS_IT_TAKES_MS })
        : follow(client, runId, terminal));
      if (options.json) printJson(terminal, outcomeOf(run));
      else printOutcome(terminal, run);
      exit(run.status === 'succeeded' ? EXIT.ok : EXIT.failed);
    });
}

async function follow(client: FlotillaClient, runId: string, terminal: Terminal) {
  const { workflow, counts } = await client.get(runId);
  return watchRun(client, runId, terminal, { name: workflow, totalSteps: counts?.steps });
}
