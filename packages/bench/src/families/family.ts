import type { Samples } from '../measuring/sample.ts';
import type { BenchOptions, BenchWorkload } from '../options.ts';

/** Workloads that share a Redis and the processes on it. */
export interface Family {
  workloads: readonly BenchWorkload[];
  measure(request: FamilyRequest): Promise<Samples>;
}

interface FamilyRequest {
  options: BenchOptions;
  /** Those of the family that are wanted; at least one. */
  wanted: readonly BenchWorkload[];
  /** Numbers of the rounds; later calls go on counting, so that rounds pair up. */
  rounds: readonly number[];
  tell: (line: string) => void;
}

/** A number of runs at a scale; never none. */
export function scaled(runs: number, { scale }: BenchOptions): number {
  return Math.max(1, Math.round(runs * scale));
}
