import { active } from './families/active.ts';
import type { Family } from './families/family.ts';
import { runBytes } from './families/run-bytes.ts';
import { runSize } from './families/run-size.ts';
import { scaling } from './families/scaling.ts';
import { submit } from './families/submit.ts';
import { throughput } from './families/throughput.ts';
import { append, noSamples, type Samples } from './measuring/sample.ts';
import type { BenchOptions, BenchWorkload } from './options.ts';

const FAMILIES: readonly Family[] = [throughput, active, runBytes, runSize, submit, scaling];

/** Measures the workloads, family by family, each in all its rounds. */
export async function runSuite(
  options: BenchOptions,
  workloads: readonly BenchWorkload[],
  rounds: readonly number[],
  tell: (line: string) => void,
): Promise<Samples> {
  const all = noSamples();
  for (const family of FAMILIES) {
    const wanted = family.workloads.filter((name) => workloads.includes(name));
    if (wanted.length > 0) append(all, await family.measure({ options, wanted, rounds, tell }));
  }
  return all;
}
