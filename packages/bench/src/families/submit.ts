import { mapInTurn } from '@flotilla/local-fleet';
import { inTurn, withBench } from '../measuring/bench.ts';
import { measure } from '../measuring/measure.ts';
import { noSamples } from '../measuring/sample.ts';
import type { Graph } from '../targets/graphs.ts';
import { type Family, scaled } from './family.ts';

const GRAPH: Graph = { kind: 'chain', steps: 10, stepMs: 0 };
const CALLS_AT_ONCE = 32;

/**
 * How fast runs are accepted: one a call with 32 calls at once, and in batches of 500. No worker runs, so that nothing but
 * accepting (and relaying to the queue) is measured. Flotilla takes them over HTTP and keeps them; BullMQ plain writes
 * one job straight to Redis, from the measuring process. The limit only pushes a string and is left out.
 */
export const submit: Family = {
  workloads: ['submit'],
  measure: ({ options, rounds, tell }) =>
    withBench(options, { targets: ['plain', 'flotilla'], workers: 0, slots: 1 }, tell, async (bench) => {
      const found = noSamples();
      const singles = scaled(3000, options);
      const batched = scaled(15_000, options);
      for (const target of bench.targets) {
        await target.prepare(GRAPH);
        await mapInTurn(Array.from({ length: Math.ceil(singles / 2) }), CALLS_AT_ONCE, () => target.submitOne(GRAPH));
        await target.submit(GRAPH, Math.ceil(batched / 4));
        await target.settle();
      }
      for (const round of rounds) {
        for (const target of inTurn(bench.targets, round)) {
          const single = { workload: 'submit-single', round, unit: 'runs' as const, count: singles };
          found.samples.push(
            await measure(bench, target, single, async () => {
              await mapInTurn(Array.from({ length: singles }), CALLS_AT_ONCE, () => target.submitOne(GRAPH));
            }),
          );
          await target.settle();
          const batch = { workload: 'submit-batch', round, unit: 'runs' as const, count: batched };
          found.samples.push(await measure(bench, target, batch, () => target.submit(GRAPH, batched)));
          await target.settle();
        }
      }
      return found;
    }),
};
