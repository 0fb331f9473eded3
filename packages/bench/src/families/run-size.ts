import { type Bench, inTurn, withBench } from '../measuring/bench.ts';
import { measure } from '../measuring/measure.ts';
import { noSamples } from '../measuring/sample.ts';
import type { BenchOptions } from '../options.ts';
import { type Graph, stepsOf } from '../targets/graphs.ts';
import { type Family, scaled } from './family.ts';

/** The steps of one big run, and of all the small ones together. */
const STEPS = 10_000;

interface Pair {
  big: Graph;
  small: Graph;
  smallRuns: number;
}

/** The graphs that `big-layers` and `big-fan` compare at a scale, with as many steps on either side. */
export function sizePairs(options: BenchOptions): Record<'big-layers' | 'big-fan', Pair> {
  const steps = scaled(STEPS, options);
  // As many layers as steps in a layer; an even width, for the pairs that share their needs.
  const width = Math.max(4, 2 * Math.round(Math.sqrt(steps) / 2));
  const layers = Math.max(2, Math.round(steps / width));
  const smallRuns = Math.max(1, Math.round(steps / 10));
  return {
    'big-layers': {
      big: { kind: 'layers', layers, width },
      small: { kind: 'layers', layers: 5, width: 2 },
      smallRuns,
    },
    'big-fan': { big: { kind: 'fan', width: Math.max(8, steps - 2) }, small: { kind: 'fan', width: 8 }, smallRuns },
  };
}

/** One run of 10,000 steps against 1,000 runs of ten steps of the same kind. Flotilla alone: no other target has runs. */
export const runSize: Family = {
  workloads: ['big-layers', 'big-fan'],
  measure: ({ options, wanted, rounds, tell }) =>
    withBench(
      options,
      { targets: ['flotilla'], workers: options.workers, slots: options.slots },
      tell,
      async (bench) => {
        const found = noSamples();
        const parts = Object.entries(sizePairs(options))
          .filter(([name]) => wanted.some((workload) => workload === name))
          .flatMap(([name, { big, small, smallRuns }]) => [
            { workload: name, graph: big, runs: 1 },
            { workload: `${name}, small`, graph: small, runs: smallRuns },
          ]);
        await warmUp(bench, parts);
        for (const round of rounds) {
          for (const { workload, graph, runs } of inTurn(parts, round)) {
            for (const target of bench.targets) {
              const what = { workload, round, unit: 'steps' as const, count: runs * stepsOf(graph) };
              found.samples.push(await measure(bench, target, what, () => target.run(graph, runs)));
            }
          }
        }
        return found;
      },
    ),
};

/** The whole of it once: a big run also makes scheduler and workers read its plan for the first time. */
async function warmUp({ targets }: Bench, parts: readonly { graph: Graph; runs: number }[]): Promise<void> {
  for (const target of targets) {
    for (const { graph, runs } of parts) {
      await target.prepare(graph);
      await target.run(graph, runs);
    }
  }
}
