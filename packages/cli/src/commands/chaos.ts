import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { EXIT } from '../exit-codes.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { runSuite } from '../up/run-suite.ts';
import { type CommonOptions, positiveNumber, wholeNumber, withCommon } from './common-options.ts';

interface ChaosOptions extends CommonOptions {
  minutes?: number;
  runs?: number;
  without?: string;
  seed?: number;
  faults?: string;
  workers: number;
  schedulers: number;
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
      'how long faults are made; coming to rest and checking come on top (default: 3; with --runs at most, 30)',
      positiveNumber,
    )
    .option('--runs <count>', 'make faults until so many short runs were accepted', wholeNumber(1, MOST_RUNS))
    .addOption(
      new Option('--without <safeguard>', 'switch it off and show what the checks then find').choices(SAFEGUARDS),
    )
    .option('--seed <number>', 'repeats the plan of that seed (default: by chance)', wholeNumber(0, LARGEST_SEED))
    .option('--faults <list>', 'such as F1,F3,F6 or F27 (default: all that this machine can make)')
    .option('--workers <count>', 'worker processes', wholeNumber(2, 32), 3)
    .option('--schedulers <count>', 'scheduler processes', wholeNumber(1, 16), 2)
    .option('--keep <folder>', 'keep recording, logs and report there (default: only when something is wrong)')
    .action(async ({ minutes, runs, without, seed, faults, workers, schedulers, keep, json }: ChaosOptions) => {
      const args = ['--workers', String(workers), '--schedulers', String(schedulers)];
      if (minutes !== undefined) args.push('--minutes', String(minutes));
      if (runs !== undefined) args.push('--runs', String(runs));
      if (without !== undefined) args.push('--without', without);
      if (seed !== undefined) args.push('--seed', String(seed));
      if (faults !== undefined) args.push('--faults', faults);
      if (keep !== undefined) args.push('--keep', resolve(terminal.cwd, keep));
      if (json) args.push('--json');
      setExit((await runSuite(terminal, 'chaos/chaos.ts', args)) ?? EXIT.failed);
    });
}
