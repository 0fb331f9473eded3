import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { EXIT } from '../exit-codes.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { runProgram } from '../up/run-program.ts';
import { type CommonOptions, positiveNumber, wholeNumber, withCommon } from './common-options.ts';

interface ChaosOptions extends CommonOptions {
  soak?: boolean;
  minutes?: number;
  runs?: number;
  without?: string;
  seed?: number;
  faults?: string;
  workers: number;
  schedulers: number;
  leakBytesARun?: number;
  keep?: string;
}

const LARGEST_SEED = 2 ** 31 - 1;
/** All of them are kept in memory until they are checked. */
const MOST_RUNS = 20_000;
const SAFEGUARDS = ['lease', 'fence', 'reconciler'];

export function chaosCommand(terminal: Terminal, setExit: Action): Command {
  return withCommon(new Command('chaos'))
    .description('kill, freeze, cut off and fill up a fleet of its own while it works, and check that nothing is lost')
    .option(
      '--minutes <count>',
      'how long faults are made; coming to rest and checking come on top (default: 3; with --runs at most, 30; with --soak 60)',
      positiveNumber,
    )
    .option('--runs <count>', 'make faults until so many short runs were accepted', wholeNumber(1, MOST_RUNS))
    .addOption(
      new Option('--without <safeguard>', 'switch it off and show what the checks then find').choices(SAFEGUARDS),
    )
    .option('--soak', 'a long time at half load with a fault now and then: measure what grows')
    .option('--seed <number>', 'repeats the plan of that seed (default: by chance)', wholeNumber(0, LARGEST_SEED))
    .option(
      '--faults <list>',
      'such as F1,F3,F6 or F27 (default: all that this machine can make; with --soak F1,F6,F12)',
    )
    .option('--workers <count>', 'worker processes', wholeNumber(2, 32), 3)
    .option('--schedulers <count>', 'scheduler processes', wholeNumber(1, 16), 2)
    .option(
      '--leak-bytes-a-run <bytes>',
      'with --soak: every run makes its worker keep so much, which must be found',
      wholeNumber(0, 1_048_576),
    )
    .option('--keep <folder>', 'keep recording, logs and report there (default: only when something is wrong)')
    .action(async (options: ChaosOptions) => {
      if (options.leakBytesARun !== undefined && !options.soak) {
        throw new CliProblem('USAGE', '--leak-bytes-a-run goes with --soak only');
      }
      if (options.soak && (options.runs !== undefined || options.without !== undefined)) {
        throw new CliProblem('USAGE', '--runs and --without do not go with --soak');
      }
      // Its load and its checks are of no use to any other command.
      const { chaosProgram, soakProgram } = await import('@flotilla/chaos');
      const program = options.soak ? soakProgram : chaosProgram;
      setExit((await runProgram(terminal, program, argumentsOf(options, terminal.cwd))) ?? EXIT.failed);
    });
}

function argumentsOf(
  { minutes, runs, without, seed, faults, keep, json, ...rest }: ChaosOptions,
  cwd: string,
): string[] {
  const args = ['--workers', String(rest.workers), '--schedulers', String(rest.schedulers)];
  if (minutes !== undefined) args.push('--minutes', String(minutes));
  if (runs !== undefined) args.push('--runs', String(runs));
  if (without !== undefined) args.push('--without', without);
  if (seed !== undefined) args.push('--seed', String(seed));
  if (faults !== undefined) args.push('--faults', faults);
  if (rest.leakBytesARun !== undefined) args.push('--leak-bytes-a-run', String(rest.leakBytesARun));
  if (keep !== undefined) args.push('--keep', resolve(cwd, keep));
  if (json) args.push('--json');
  return args;
}
