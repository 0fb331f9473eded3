import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { readInput } from '../documents/read-input.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface SignalCommandOptions extends RemoteOptions {
  body?: string;
  key?: string;
}

export function signalCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('signal'))
    .description('send a signal to a run; the step that waits for it gets the body')
    .argument('<run>', 'id of the run')
    .argument('<name>', 'name of the signal')
    .option('--body <json>', 'JSON, or @file; default null')
    .option('--key <text>', 'idempotency key: the same key sends the signal once')
    .action(async (runId: string, name: string, options: SignalCommandOptions) => {
      const body = options.body === undefined ? null : await readInput(options.body, terminal.cwd);
      const sent = await connectScheduler(terminal, options).signal(runId, name, body, {
        signal: terminal.signal,
        ...(options.key !== undefined && { idempotencyKey: options.key }),
      });
      if (options.json) printJson(terminal, sent);
      else if (sent.deduplicated) printLine(terminal, `${name} had been sent to ${runId} before`);
      else
        printLine(
          terminal,
          `${name} sent to ${runId}: ${sent.deliveredTo ?? 'no step waits for it yet; it is stored'}`,
        );
    });
}
