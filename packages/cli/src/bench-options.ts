import { Command, InvalidArgumentError, Option } from 'commander';
import { positiveNumber, wholeNumber, withCommon } from './commands/common-options.ts';
import { EXIT } from './exit-codes.ts';

/** What can be measured, in the order in which it is. */
const BENCH_WORKLOADS = [
  'chain',
  'fan',
  'latency',
  'active-1000',
  'active-5000',
  'run-bytes',
  'big-layers',
  'big-fan',
  'submit',
  'scaling',
] as const;
export type BenchWorkload = (typeof BENCH_WORKLOADS)[number];

/** `plain`: BullMQ whose processor adds the next job. `limit`: a loop of one Lua script. */
const BENCH_TARGETS = ['plain', 'limit', 'flotilla'] as const;
export type BenchTarget = (typeof BENCH_TARGETS)[number];

/** Options of `flotilla bench`, which hands them to the load suite as they were given. */
export interface BenchOptions {
  rounds: number;
  scale: number;
  workers: number;
  slots: number;
  workload: readonly BenchWorkload[];
  only: readonly BenchTarget[];
  short?: boolean;
  json?: boolean;
  debug?: boolean;
  chart?: string;
  baseline?: string;
  updateBaseline?: boolean;
  profile?: string;
  commandStats?: boolean;
  compiled?: boolean;
}

const LARGEST_SCALE = 100;

/** Adds the options, and refuses values and mixtures that mean nothing. */
export function withBenchOptions(command: Command): Command {
  return withCommon(command)
    .option('--rounds <count>', 'interleaved rounds; the ratios are medians of them', wholeNumber(1, 100), 3)
    .option('--scale <factor>', 'size of the workloads, 1 for a few seconds each', scale, 1)
    .option('--workers <count>', 'worker processes of each system', wholeNumber(1, 16), 1)
    .addOption(
      new Option('--slots <count>', 'steps at once in a worker process; some workloads set their own')
        .argParser(wholeNumber(1, 10_000))
        .default(64)
        .env('BENCH_CONCURRENCY'),
    )
    .addOption(listOption('--workload <list>', 'what is measured', BENCH_WORKLOADS))
    .addOption(listOption('--only <list>', 'which systems run', BENCH_TARGETS))
    .addOption(
      new Option(
        '--short',
        'for CI, about a minute: chain and fan beside plain BullMQ, 3 rounds at scale 0.5 unless given',
      ).implies({ rounds: 3, scale: 0.5, workload: ['chain', 'fan'], only: ['plain', 'flotilla'] }),
    )
    .option('--chart <file>', 'draw the ratios as an SVG file')
    .option('--baseline <file>', 'compare the ratios with those kept there; exit code 1 when one is down by over 25 %')
    .option('--update-baseline', 'keep the ratios of this measurement in the file of --baseline')
    .addOption(new Option('--profile <folder>', 'write a CPU profile of each Flotilla process').env('BENCH_PROFILE'))
    .addOption(new Option('--command-stats', 'tell what Redis did in each measurement').env('BENCH_COMMANDSTATS'))
    .addOption(new Option('--compiled', 'run the compiled apps instead of their sources').env('BENCH_DIST'))
    .hook('preAction', (_command, acting) => {
      const { baseline, updateBaseline, only } = acting.opts<BenchOptions>();
      if (updateBaseline && baseline === undefined) acting.error('error: --update-baseline needs --baseline <file>');
      if (baseline !== undefined && !(only.includes('plain') && only.includes('flotilla'))) {
        acting.error('error: --baseline compares ratios of Flotilla to plain: --only must keep both');
      }
    });
}

/** The command line that makes the load suite measure what this command was told. */
export function benchArguments(command: Command): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    // What stands in the environment or is a default is found there again.
    if (command.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = command.getOptionValue(name);
    return value === true ? [option.long!] : [option.long!, String(value)];
  });
}

/** For the load suite when it is started by itself. Ends the process, with 2 after saying why, when they are wrong. */
export function readBenchOptions(args: readonly string[], exit: (code: number) => never): BenchOptions {
  const command = withBenchOptions(new Command('bench'))
    .exitOverride(({ exitCode }) => exit(exitCode === 0 ? EXIT.ok : EXIT.usage))
    .action(() => undefined);
  return command.parse([...args], { from: 'user' }).opts<BenchOptions>();
}

function scale(text: string): number {
  const value = positiveNumber(text);
  if (value > 0 && value <= LARGEST_SCALE) return value;
  throw new InvalidArgumentError(`expected a number above 0, up to ${LARGEST_SCALE}`);
}

/** Takes some of the names, in whatever order, and gives them in theirs. */
function listOption(flags: string, description: string, names: readonly string[]): Option {
  return new Option(flags, `${description}: some of ${names.join(',')}`).default(names, 'all').argParser((text) => {
    const given = new Set(text.split(',').map((part) => part.trim()));
    if ([...given].every((name) => names.includes(name))) return names.filter((name) => given.has(name));
    throw new InvalidArgumentError(`expected some of ${names.join(', ')}, separated by commas`);
  });
}
