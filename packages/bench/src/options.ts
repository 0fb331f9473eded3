/** What can be measured, in the order in which it is. */
export const BENCH_WORKLOADS = [
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
export const BENCH_TARGETS = ['plain', 'limit', 'flotilla'] as const;
export type BenchTarget = (typeof BENCH_TARGETS)[number];

export interface BenchOptions {
  /** Interleaved rounds; ratios are medians of them. */
  rounds: number;
  /** Of the sizes of the workloads; 1 for a few seconds each. */
  scale: number;
  /** Worker processes of each system. */
  workers: number;
  /** Steps at once in a worker process; some workloads set their own. */
  slots: number;
  workload: readonly BenchWorkload[];
  only: readonly BenchTarget[];
  json?: boolean;
  /** File for the ratios as SVG. */
  chart?: string;
  /** File with ratios of an earlier measurement. */
  baseline?: string;
  updateBaseline?: boolean;
  /** Folder for a CPU profile of each Flotilla process. */
  profile?: string;
  commandStats?: boolean;
}

/** The one argument of the benchmark's program, as JSON. */
export interface BenchRequest {
  options: BenchOptions;
  /** The command line, for the report. */
  command: string;
}
