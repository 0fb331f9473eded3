import type { BenchTarget } from '../options.ts';
import type { PeakMemory } from './process-cost.ts';
import type { RedisCounters } from './redis-cost.ts';

/** One workload of one target in one round. */
export interface Sample {
  /** What was measured, such as `chain` or `active-1000`. */
  workload: string;
  target: BenchTarget;
  round: number;
  unit: 'steps' | 'runs';
  count: number;
  seconds: number;
  /** Of the target's processes and Redis; undefined where the system does not tell. */
  cpuSeconds: number | undefined;
  /** Of this process, which makes the load. */
  loaderCpuSeconds: number;
  redis: RedisCounters;
  peakMemoryBytes: PeakMemory;
}

/** Steps or runs a second. */
export function rateOf({ count, seconds }: Sample): number {
  return count / seconds;
}

/** Chains one at a time: milliseconds a step, one number a run. */
export interface LatencySample {
  target: BenchTarget;
  round: number;
  stepMs: number[];
}

/** What Redis holds for one run of ten steps while its last step runs. */
export interface RunBytes {
  target: BenchTarget;
  round: number;
  /** MEMORY USAGE of the keys of a run; undefined for a target that has no such keys. */
  ownKeys: number | undefined;
  /** Growth of the memory in use, divided by the runs: with queue, leases and indexes. */
  allKeys: number;
}

export interface Samples {
  samples: Sample[];
  latencies: LatencySample[];
  runBytes: RunBytes[];
}

export function noSamples(): Samples {
  return { samples: [], latencies: [], runBytes: [] };
}

export function append(to: Samples, more: Samples): void {
  to.samples.push(...more.samples);
  to.latencies.push(...more.latencies);
  to.runBytes.push(...more.runBytes);
}
