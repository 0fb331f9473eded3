import type { FlotillaClient } from '@flotilla/client';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function pauseCommand(terminal: Terminal, _exit: Action): Command {
  return control(terminal, 'pause', 'let no further step of a run start; running attempts finish');
}

export function resumeCommand(terminal: Terminal, _exit: Action): Command {
  return control(terminal, 'resume', 'let a paused run go on');
}

function control(
  terminal: Terminal,
  what: keyof Pick<FlotillaClient, 'pause' | 'resume'>,
  description: string,
): Command {
  return withRemote(new Command(what))
    .description(description)
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const answer = await connectScheduler(terminal, options)[what](runId, { signal: terminal.signal });
      if (options.json) printJson(terminal, answer);
      else printLine(terminal, `${answer.runId} ${answer.status}`);
    });
}
