import { inTurn, withBench } from '../measuring/bench.ts';
import { measure } from '../measuring/measure.ts';
import { noSamples } from '../measuring/sample.ts';
import { type Graph, stepsOf } from '../targets/graphs.ts';
import { type Family, scaled } from './family.ts';

const GRAPH: Graph = { kind: 'chain', steps: 10, stepMs: 50 };
export const SCALING_WORKERS = [1, 2, 4] as const;
export const SCALING_SLOTS = 10;

/** Steps a second when nothing but waiting takes time. */
export function idealScalingRate(workers: number): number {
  return (workers * SCALING_SLOTS * 1000) / 50;
}

/**
 * Steps that wait 50 ms, with 1, 2 and 4 worker processes of 10 slots, and as much work for each process. The limit is one
 * process by its nature and is left out.
 */
export const scaling: Family = {
  workloads: ['scaling'],
  measure: ({ options, rounds, tell }) =>
    withBench(options, { targets: ['plain', 'flotilla'], workers: 1, slots: SCALING_SLOTS }, tell, async (bench) => {
      const found = noSamples();
      // Full slots to the end: a number of runs for each process that its slots divide.
      const runsEach = SCALING_SLOTS * scaled(10, options);
      for (const target of bench.targets) {
        await target.prepare(GRAPH);
        await target.run(GRAPH, SCALING_SLOTS);
      }
      for (const round of rounds) {
        for (const workers of SCALING_WORKERS) {
          for (const target of inTurn(bench.targets, round)) {
            await target.setWorkers(workers);
            // A process that has just started compiles its code.
            await target.run(GRAPH, workers * SCALING_SLOTS);
            const runs = workers * runsEach;
            const what = {
              workload: `scaling-${workers}`,
              round,
              unit: 'steps' as const,
              count: runs * stepsOf(GRAPH),
            };
            found.samples.push(await measure(bench, target, what, () => target.run(GRAPH, runs)));
            await target.setWorkers(0);
          }
        }
      }
      return found;
    }),
};
