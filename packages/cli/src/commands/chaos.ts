import { resolve } from 'node:path';
import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { runSuite } from '../up/run-suite.ts';
import { type CommonOptions, positiveNumber, wholeNumber, withCommon } from './common-options.ts';

interface ChaosOptions extends CommonOptions {
  minutes: number;
  seed?: number;
  faults?: string;
  workers: number;
  schedulers: number;
  keep?: string;
}

const LARGEST_SEED = 2 ** 31 - 1;

export function chaosCommand(terminal: Terminal, setExit: Action): Command {
  return withCommon(new Command('chaos'))
    .description('kill, freeze, cut off and fill up a fleet of its own while it works, and check that nothing is lost')
    .option('--minutes <count>', 'how long faults are made; coming to rest and checking come on top', positiveNumber, 3)
    .option('--seed <number>', 'repeats the plan of that seed (default: by chance)', wholeNumber(0, LARGEST_SEED))
    .option('--faults <list>', 'such as F1,F3,F6 or F27 (default: all that this machine can make)')
    .option('--workers <count>', 'worker processes', wholeNumber(2, 32), 3)
    .option('--schedulers <count>', 'scheduler processes', wholeNumber(1, 16), 2)
    .option('--keep <folder>', 'keep recording, logs and report there (default: only when something is wrong)')
    .action(async ({ minutes, seed, faults, workers, schedulers, keep, json }: ChaosOptions) => {
      const args = ['--minutes', String(minutes), '--workers', String(workers), '--schedulers', String(schedulers)];
      if (seed !== undefined) args.push('--seed', String(seed));
      if (faults !== undefined) args.push('--faults', faults);
      if (keep !== undefined) args.push('--keep', resolve(terminal.cwd, keep));
      if (json) args.push('--json');
      setExit((await runSuite(terminal, 'chaos/chaos.ts', args)) ?? EXIT.failed);
    });
}
