import { inTurn, withBench } from '../measuring/bench.ts';
import { measure } from '../measuring/measure.ts';
import { noSamples } from '../measuring/sample.ts';
import { type Graph, stepsOf } from '../targets/graphs.ts';
import { type Family, scaled } from './family.ts';

const GRAPH: Graph = { kind: 'chain', steps: 5, stepMs: 200 };
/** What a run takes when nothing but its steps takes time. */
export const ACTIVE_IDEAL_SECONDS = 1;

const SIZES = { 'active-1000': 1000, 'active-5000': 5000 } as const;

/** Many runs at once whose steps wait, with a slot for each of them. */
export const active: Family = {
  workloads: ['active-1000', 'active-5000'],
  measure: ({ options, wanted, rounds, tell }) => {
    const sizes = Object.entries(SIZES)
      .filter(([name]) => wanted.some((workload) => workload === name))
      .map(([workload, runs]) => ({ workload, runs: scaled(runs, options) }));
    const most = Math.max(...sizes.map(({ runs }) => runs));
    const needs = {
      targets: ['plain', 'limit', 'flotilla'] as const,
      workers: options.workers,
      slots: Math.ceil(most / options.workers),
    };
    return withBench(options, needs, tell, async (bench) => {
      const found = noSamples();
      for (const target of bench.targets) {
        await target.prepare(GRAPH);
        await target.run(GRAPH, Math.ceil(most / 2));
      }
      for (const round of rounds) {
        for (const { workload, runs } of sizes) {
          for (const target of inTurn(bench.targets, round)) {
            const what = { workload, round, unit: 'steps' as const, count: runs * stepsOf(GRAPH) };
            found.samples.push(await measure(bench, target, what, () => target.run(GRAPH, runs)));
          }
        }
      }
      return found;
    });
  },
};
