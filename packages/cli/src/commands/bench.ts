import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { EXIT } from '../exit-codes.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { benchProgram } from '../up/program-files.ts';
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
      const program = benchProgram();
      if (!existsSync(program)) {
        throw new CliProblem('BENCH_NOT_HERE', 'the load suite is not in this installation', {
          hint: 'run ./flotilla bench in a checkout of the project',
        });
      }
      const args = ['--rounds', String(rounds), '--scale', scale, '--workers', String(workers)];
      const child = spawn(
        process.execPath,
        ['--conditions=@flotilla/source', program, ...args, ...(json ? ['--json'] : [])],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      child.stdout.setEncoding('utf8').on('data', (text: string) => terminal.write(text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => terminal.writeError(text));
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      setExit(code === 0 ? EXIT.ok : EXIT.failed);
    });
}
