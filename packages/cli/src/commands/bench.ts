import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { EXIT } from '../exit-codes.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { runSuite } from '../up/run-suite.ts';
import { type CommonOptions, wholeNumber, withCommon } from './common-options.ts';

interface BenchOptions extends CommonOptions {
  rounds: number;
  scale: string;
  workers: number;
}

export function benchCommand(terminal: Terminal, setExit: Action): Command {
  return withCommon(new Command('bench'))
    .description('measure this machine: Flotilla beside BullMQ plain and the limit, on a Redis of its own')
    .option('--rounds <count>', 'interleaved rounds; the ratios are medians of them', wholeNumber(1, 100), 3)
    .option('--scale <factor>', 'size of the workloads, 1 for a few seconds each', '1')
    .option('--workers <count>', 'worker processes of each system', wholeNumber(1, 16), 1)
    .action(async ({ rounds, scale, workers, json }: BenchOptions) => {
      if (!(Number(scale) > 0 && Number(scale) <= 100)) {
        throw new CliProblem('BAD_USAGE', `--scale takes a number above 0, up to 100, not ${scale}`);
      }
      const args = ['--rounds', String(rounds), '--scale', scale, '--workers', String(workers)];
      const code = await runSuite(terminal, 'load/bench.ts', [...args, ...(json ? ['--json'] : [])]);
      setExit(code === 0 ? EXIT.ok : EXIT.failed);
    });
}
