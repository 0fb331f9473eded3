import { type Bench, inTurn, withBench } from '../measuring/bench.ts';
import { measure } from '../measuring/measure.ts';
import { type LatencySample, noSamples } from '../measuring/sample.ts';
import { type Graph, stepsOf } from '../targets/graphs.ts';
import type { Target } from '../targets/target.ts';
import { type Family, scaled } from './family.ts';

const CHAIN: Graph = { kind: 'chain', steps: 10, stepMs: 0 };
const FAN: Graph = { kind: 'fan', width: 20 };
/** Smaller workloads are warmed up with all of their runs. */
const WARM_UP_RUNS = 1000;
const LATENCY_RUNS = 50;
const LATENCY_WARM_UP_RUNS = 20;

/** Many short runs of steps that do nothing; and chains one at a time. */
export const throughput: Family = {
  workloads: ['chain', 'fan', 'latency'],
  measure: ({ options, wanted, rounds, tell }) =>
    withBench(
      options,
      { targets: ['plain', 'limit', 'flotilla'], workers: options.workers, slots: options.slots },
      tell,
      async (bench) => {
        const found = noSamples();
        const workloads = [
          { name: 'chain', graph: CHAIN, runs: scaled(4000, options) },
          { name: 'fan', graph: FAN, runs: scaled(2000, options) },
        ].filter(({ name }) => wanted.some((workload) => workload === name));
        for (const target of bench.targets) await warmUp(target, workloads);
        for (const round of rounds) {
          for (const { name: workload, graph, runs } of workloads) {
            for (const target of inTurn(bench.targets, round)) {
              const what = { workload, round, unit: 'steps' as const, count: runs * stepsOf(graph) };
              found.samples.push(await measure(bench, target, what, () => target.run(graph, runs)));
            }
          }
          if (wanted.includes('latency')) found.latencies.push(...(await latencies(bench, round)));
        }
        return found;
      },
    ),
};

/** Measured cold, short work would tell of the compiler of JavaScript. */
async function warmUp(target: Target, workloads: readonly { graph: Graph; runs: number }[]): Promise<void> {
  for (const { graph, runs } of workloads) {
    await target.prepare(graph);
    await target.run(graph, Math.max(Math.ceil(runs / 2), Math.min(runs, WARM_UP_RUNS)));
  }
  await target.prepare(CHAIN);
  for (let run = 0; run < LATENCY_WARM_UP_RUNS; run += 1) await target.runOne(CHAIN);
}

async function latencies({ targets, tell }: Bench, round: number): Promise<LatencySample[]> {
  const found: LatencySample[] = [];
  for (const target of inTurn(targets, round)) {
    const stepMs: number[] = [];
    for (let run = 0; run < LATENCY_RUNS; run += 1) {
      const startedAt = performance.now();
      await target.runOne(CHAIN);
      stepMs.push((performance.now() - startedAt) / stepsOf(CHAIN));
    }
    found.push({ target: target.name, round, stepMs });
    tell(`round ${round} latency ${target.name}: ${(stepMs.toSorted((a, b) => a - b)[25] ?? 0).toFixed(2)} ms a step`);
  }
  return found;
}
