import type { Sample } from '../../measuring/sample.ts';
import type { BenchTarget } from '../../options.ts';

/** A sample for tests of the report: 1,000 steps in so many seconds. */
export function sample(workload: string, target: BenchTarget, round: number, seconds: number): Sample {
  return {
    workload,
    target,
    round,
    unit: 'steps',
    count: 1000,
    seconds,
    cpuSeconds: seconds / 2,
    loaderCpuSeconds: 0.1,
    redis: { commands: 4000, inBytes: 200_000, outBytes: 100_000, memoryBytes: 50_000 },
    peakMemoryBytes: { redis: 2 ** 20, worker: 2 ** 21, ...(target === 'flotilla' ? { scheduler: 2 ** 22 } : {}) },
  };
}
