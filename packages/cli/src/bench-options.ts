import { BENCH_TARGETS, BENCH_WORKLOADS, type BenchOptions, type BenchRequest } from '@flotilla/bench';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { positiveNumber, wholeNumber, withCommon } from './commands/common-options.ts';

/** Options of `flotilla bench` as they are given. */
interface GivenOptions extends BenchOptions {
  short?: boolean;
  debug?: boolean;
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
    .hook('preAction', (_command, acting) => {
      const { baseline, updateBaseline, only } = acting.opts<GivenOptions>();
      if (updateBaseline && baseline === undefined) acting.error('error: --update-baseline needs --baseline <file>');
      if (baseline !== undefined && !(only.includes('plain') && only.includes('flotilla'))) {
        acting.error('error: --baseline compares ratios of Flotilla to plain: --only must keep both');
      }
    });
}

/** What the benchmark's program is told of a command that was parsed. */
export function benchRequest(command: Command): BenchRequest {
  const { short, debug, ...options } = command.opts<GivenOptions>();
  return { options, command: ['./flotilla bench', ...givenArguments(command)].join(' ') };
}

function givenArguments(command: Command): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = command.getOptionValue(name);
    return value === true ? [option.long!] : [option.long!, String(value)];
  });
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
