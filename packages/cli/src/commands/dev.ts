import { Command } from 'commander';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { wholeNumber } from './common-options.ts';
import { runUp, type UpOptions, withFleetOptions } from './up.ts';

const MAX_WORKERS = 8;

export function devCommand(terminal: Terminal, exit: Action): Command {
  const command = new Command('dev')
    .description('like up, with one worker that reloads your handlers when you save them, and readable logs')
    .option('--workers <count>', 'worker processes', wholeNumber(1, MAX_WORKERS), 1);
  return withFleetOptions(command).action((options: UpOptions) => runUp({ ...options, reload: true }, terminal, exit));
}
