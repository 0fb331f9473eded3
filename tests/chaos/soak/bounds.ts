import type { ProcessSample } from './process-sample.ts';
import type { RedisSample } from './redis-sample.ts';

/** Something that is measured again and again and must not grow. */
export interface Metric<Sample> {
  name: string;
  of: (sample: Sample) => number | undefined;
  unit: 'bytes' | 'count';
  /** What it may grow by in an hour, whatever happens in it. */
  perHour: number;
  /**
   * What it may grow by with each run of the fleet, where the soak is too short for the bound an hour: noise of a fraction
   * of a megabyte is a slope of megabytes an hour. A tenth of what the canary leaks.
   */
  perRun: number;
}

const MB = 1024 * 1024;

export const PROCESS_METRICS: readonly Metric<ProcessSample>[] = [
  { name: 'heap', of: ({ heapBytes }) => heapBytes, unit: 'bytes', perHour: MB, perRun: 100 },
  { name: 'external', of: ({ externalBytes }) => externalBytes, unit: 'bytes', perHour: MB, perRun: 100 },
  { name: 'RSS', of: ({ rssBytes }) => rssBytes, unit: 'bytes', perHour: MB, perRun: 300 },
  { name: 'handles', of: ({ handles }) => handles, unit: 'count', perHour: 1, perRun: 0.001 },
  { name: 'timers', of: ({ timers }) => timers, unit: 'count', perHour: 1, perRun: 0.002 },
  { name: 'open files', of: ({ fds }) => fds, unit: 'count', perHour: 1, perRun: 0.001 },
];

export const REDIS_METRICS: readonly Metric<RedisSample>[] = [
  { name: 'memory', of: ({ memoryBytes }) => memoryBytes, unit: 'bytes', perHour: MB, perRun: 100 },
  { name: 'keys', of: ({ keys }) => keys, unit: 'count', perHour: 10, perRun: 0.02 },
];

/** A timer that is late by so much in one case of a hundred. */
export const LAG_P99_BOUND_MS = 50;

const HOUR_MS = 3_600_000;
/** As long as this the bound an hour is the one that counts. */
const LONG_MS = 20 * HOUR_MS;

export interface Measured {
  measuredMs: number;
  /** Runs that the fleet made meanwhile. */
  runs: number;
}

/** What a metric may grow by in an hour of this soak. */
export function boundPerHour(
  { perHour, perRun }: Pick<Metric<never>, 'perHour' | 'perRun'>,
  { measuredMs, runs }: Measured,
): number {
  return measuredMs >= LONG_MS ? perHour : Math.max(perHour, (perRun * runs * HOUR_MS) / measuredMs);
}
