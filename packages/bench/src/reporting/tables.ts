import { markdownTable, median } from '@flotilla/reporting';
import { ACTIVE_IDEAL_SECONDS } from '../families/active.ts';
import { sizePairs } from '../families/run-size.ts';
import { SCALING_SLOTS, SCALING_WORKERS } from '../families/scaling.ts';
import { rateOf, type Sample } from '../measuring/sample.ts';
import type { BenchOptions, BenchTarget } from '../options.ts';
import { needsPerStep, stepsOf } from '../targets/graphs.ts';
import { barFigures, barsTable } from './bars.ts';
import type { Figures } from './figures.ts';

export const TARGET_TITLES: Record<BenchTarget, string> = {
  plain: 'BullMQ plain',
  limit: 'one-Lua limit',
  flotilla: 'Flotilla',
};
const MEGABYTE = 1024 * 1024;

/** The whole report in Markdown, as docs/benchmarks.md has it: a heading and a table for each part that was measured. */
export function report(figures: Figures, options: BenchOptions): string {
  const parts: [string, string | undefined][] = [
    ['Bars', ifRows(barFigures(figures), (bars) => barsTable(bars, options.scale))],
    ['Throughput', throughputTable(figures)],
    ['Latency', latencyTable(figures)],
    ['Active runs', activeTable(figures)],
    ['Bytes of an active run', bytesTable(figures)],
    ['One big run against small ones', sizeTable(figures, options)],
    ['Submitting', submitTable(figures)],
    ['Worker processes', scalingTable(figures)],
  ];
  return parts.flatMap(([title, table]) => (table === undefined ? [] : [`### ${title}\n\n${table}`])).join('\n\n');
}

function ifRows<Row>(rows: readonly Row[], table: (rows: readonly Row[]) => string): string | undefined {
  return rows.length === 0 ? undefined : table(rows);
}

function per(figureOf: (sample: Sample) => number): (sample: Sample) => number {
  return (sample) => figureOf(sample) / sample.count;
}

const cpuPer1000 = per(({ cpuSeconds = Number.NaN }) => cpuSeconds * 1000);

/** Rows of workload and target, for workloads that pass. */
function rowsOf<Row>(
  figures: Figures,
  passes: (workload: string) => boolean,
  row: (workload: string, target: BenchTarget) => Row,
): Row[] {
  return figures
    .workloads()
    .filter(passes)
    .flatMap((workload) => figures.targets(workload).map((target) => row(workload, target)));
}

/** What each step costs, for every workload but those that only accept runs. */
function throughputTable(figures: Figures): string | undefined {
  const columns = [
    'workload',
    'system',
    'steps/s',
    { title: 'x plain', places: 2 },
    { title: 'processor s a 1000 steps', places: 3 },
    { title: 'Redis commands a step', places: 1 },
    'bytes in a step',
    'bytes out a step',
    'bytes kept a step',
  ];
  const rows = rowsOf(
    figures,
    (workload) => !/^(submit|scaling)/.test(workload),
    (workload, target) => {
      const of = (figureOf: (sample: Sample) => number) => figures.median(workload, target, figureOf);
      return [
        workload,
        TARGET_TITLES[target],
        of(rateOf),
        median(figures.timesPlain(workload, target)),
        of(cpuPer1000),
        of(per(({ redis }) => redis.commands)),
        of(per(({ redis }) => redis.inBytes)),
        of(per(({ redis }) => redis.outBytes)),
        of(per(({ redis }) => redis.memoryBytes)),
      ];
    },
  );
  return ifRows(rows, (found) => markdownTable(columns, found));
}

function latencyTable(figures: Figures): string | undefined {
  const targets = (['plain', 'limit', 'flotilla'] as const).filter((name) => !Number.isNaN(figures.latency(name, 0.5)));
  const rows = targets.map((name) => [TARGET_TITLES[name], figures.latency(name, 0.5), figures.latency(name, 0.99)]);
  const columns = ['system', { title: 'ms a step p50', places: 2 }, { title: 'p99', places: 2 }];
  return ifRows(rows, (found) => markdownTable(columns, found));
}

function activeTable(figures: Figures): string | undefined {
  const rows = rowsOf(
    figures,
    (workload) => workload.startsWith('active'),
    (workload, target) => {
      const peak = (role: 'scheduler' | 'worker' | 'redis') =>
        figures.median(workload, target, ({ peakMemoryBytes }) => (peakMemoryBytes[role] ?? Number.NaN) / MEGABYTE);
      const seconds = figures.median(workload, target, (sample) => sample.seconds);
      const sizes = [peak('scheduler'), peak('worker'), peak('redis')];
      return [workload, TARGET_TITLES[target], seconds, ACTIVE_IDEAL_SECONDS, ...sizes];
    },
  );
  const columns = [
    'workload',
    'system',
    { title: 's', places: 2 },
    { title: 'ideal s', places: 1 },
    'scheduler RSS MB',
    'workers RSS MB',
    'Redis RSS MB',
  ];
  return ifRows(rows, (found) => markdownTable(columns, found));
}

function bytesTable(figures: Figures): string | undefined {
  const targets = new Set(figures.samples.runBytes.map(({ target }) => target));
  const rows = Array.from(targets, (target) => [
    TARGET_TITLES[target],
    figures.bytesOfRun(target, 'ownKeys'),
    figures.bytesOfRun(target, 'allKeys'),
  ]);
  const columns = ['system', 'bytes of the keys of the run', 'memory in use a run, with queue, lease and indexes'];
  return ifRows(rows, (found) => markdownTable(columns, found));
}

function sizeTable(figures: Figures, options: BenchOptions): string | undefined {
  const measured = new Set(figures.workloads());
  const rows = Object.entries(sizePairs(options))
    .filter(([workload]) => measured.has(workload))
    .map(([workload, { big, small, smallRuns }]) => {
      const microseconds = (name: string) =>
        figures.median(
          name,
          'flotilla',
          per(({ seconds }) => seconds * 1e6),
        );
      return [
        workload,
        `1 x ${stepsOf(big)}`,
        `${smallRuns} x ${stepsOf(small)}`,
        `${needsPerStep(big).toFixed(2)} / ${needsPerStep(small).toFixed(2)}`,
        microseconds(workload),
        microseconds(`${workload}, small`),
        figures.bigToSmall(workload, 'time'),
        figures.bigToSmall(workload, 'processor'),
      ];
    });
  const columns = [
    'workload',
    'big',
    'small',
    'needs a step',
    'us a step, big',
    'small',
    { title: 'time ratio', places: 2 },
    { title: 'processor ratio', places: 2 },
  ];
  return ifRows(rows, (found) => markdownTable(columns, found));
}

function submitTable(figures: Figures): string | undefined {
  const rows = rowsOf(
    figures,
    (workload) => workload.startsWith('submit'),
    (workload, target) => [
      workload,
      TARGET_TITLES[target],
      figures.median(workload, target, rateOf),
      median(figures.timesPlain(workload, target)),
      figures.median(workload, target, cpuPer1000),
      figures.median(
        workload,
        target,
        per(({ loaderCpuSeconds }) => loaderCpuSeconds * 1000),
      ),
    ],
  );
  const columns = [
    'workload',
    'system',
    'runs/s accepted',
    { title: 'x plain', places: 2 },
    { title: 'processor s a 1000 runs', places: 3 },
    { title: 'of the submitter', places: 3 },
  ];
  return ifRows(rows, (found) => markdownTable(columns, found));
}

function scalingTable(figures: Figures): string | undefined {
  const rows = (['plain', 'flotilla'] as const).flatMap((target) =>
    SCALING_WORKERS.filter((workers) => figures.of(`scaling-${workers}`, target).length > 0).map((workers) => [
      TARGET_TITLES[target],
      `${workers} x ${SCALING_SLOTS}`,
      figures.median(`scaling-${workers}`, target, rateOf),
      figures.ofLinear(workers, target),
      figures.ofIdeal(workers, target),
    ]),
  );
  const columns = [
    'system',
    'workers x slots',
    'steps/s',
    { title: 'of linear', places: 3 },
    { title: 'of the ideal', places: 3 },
  ];
  return ifRows(rows, (found) => markdownTable(columns, found));
}
