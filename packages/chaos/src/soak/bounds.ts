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
   * of a megabyte is a slope of megabytes an hour. Of the heap a tenth of what the canary leaks. RSS is what the allocator has
   * once taken: it goes on growing for an hour in which neither the heap nor what is beside it does.
   */
  perRun: number;
  /** True: it may fall at once for a good reason, and that is no part of its slope. */
  fallsAtOnce?: true;
}

const MB = 1024 * 1024;

export const PROCESS_METRICS: readonly Metric<ProcessSample>[] = [
  { name: 'heap', of: ({ heapBytes }) => heapBytes, unit: 'bytes', perHour: MB, perRun: 100, fallsAtOnce: true },
  { name: 'external', of: ({ externalBytes }) => externalBytes, unit: 'bytes', perHour: MB, perRun: 100 },
  { name: 'RSS', of: ({ rssBytes }) => rssBytes, unit: 'bytes', perHour: MB, perRun: 1000 },
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
/** Code is still compiled, and rare cases are met for the first time. */
const EARLY_MS = HOUR_MS / 2;
const EARLY_FACTOR = 2.5;
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
  if (measuredMs >= LONG_MS) return perHour;
  const allowedARun = measuredMs < EARLY_MS ? perRun * EARLY_FACTOR : perRun;
  return Math.max(perHour, (allowedARun * runs * HOUR_MS) / measuredMs);
}
