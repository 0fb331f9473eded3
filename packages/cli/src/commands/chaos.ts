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
    .description(
      'start a fleet, kill, freeze, cut off and overfill its parts under load, and check that nothing is lost',
    )
    .option(
      '--minutes <count>',
      'how long to inject faults, not counting the time to settle and check (default: 3; with --runs at most 30; with --soak 60)',
      positiveNumber,
    )
    .option('--runs <count>', 'inject faults until this many short runs have been accepted', wholeNumber(1, MOST_RUNS))
    .addOption(
      new Option('--without <safeguard>', 'disable this safeguard and show what the checks find').choices(SAFEGUARDS),
    )
    .option('--soak', 'a long run at half load with occasional faults; measure what grows')
    .option('--seed <number>', 'repeat the plan of this seed (default: random)', wholeNumber(0, LARGEST_SEED))
    .option(
      '--faults <list>',
      'for example F1,F3,F6 or F27 (default: all that this machine supports; with --soak F1,F6,F12)',
    )
    .option('--workers <count>', 'worker processes', wholeNumber(2, 32), 3)
    .option('--schedulers <count>', 'scheduler processes', wholeNumber(1, 16), 2)
    .option(
      '--leak-bytes-a-run <bytes>',
      'with --soak: leak this much per run, which the checks must detect',
      wholeNumber(0, 1_048_576),
    )
    .option('--keep <folder>', 'save the recording, logs and report here (default: only when something is wrong)')
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
