import { benchProgram } from '@flotilla/bench';
import { Command } from 'commander';
import { benchRequest, withBenchOptions } from '../bench-options.ts';
import { EXIT } from '../exit-codes.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { runProgram } from '../up/run-program.ts';

export function benchCommand(terminal: Terminal, setExit: Action): Command {
  return withBenchOptions(new Command('bench'))
    .description('benchmark this machine: Flotilla, plain BullMQ and the bare limit, on a Redis of its own')
    .action(async (_options: unknown, command: Command) => {
      setExit((await runProgram(terminal, benchProgram, [JSON.stringify(benchRequest(command))])) ?? EXIT.failed);
    });
}
