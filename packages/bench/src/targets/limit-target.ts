import { ownModule } from '@flotilla/local-fleet';
import { connectRedis } from '@flotilla/redis';
import type { PlainGraph } from './graphs.ts';
import { type Target, type TargetOptions, until, WorkerGroup } from './target.ts';

const BATCH = 1000;

/** One process, whatever `workers` says: a second loop would only wait for the same Redis. */
export async function startLimit(options: TargetOptions): Promise<Target<PlainGraph>> {
  const workers = new WorkerGroup(ownModule('../programs/limit-worker', import.meta.url), /ready/, {
    ...options,
    nodeArgs: [],
  });
  await workers.set(1);
  const { client } = connectRedis(options.redis.url, 'commands');
  const submit = async (graph: PlainGraph, runs: number) => {
    for (let first = 0; first < runs; first += BATCH) {
      const size = Math.min(BATCH, runs - first);
      await client.rpush(
        '{limit}:ready',
        ...Array.from({ length: size }, (_, index) => firstStep(graph, first + index)),
      );
    }
  };
  const start = async (graph: PlainGraph, runs: number, pollMs: number) => {
    await client.set('{limit}:done', 0);
    await submit(graph, runs);
    await until(
      async () => Number(await client.get('{limit}:done')) === runs,
      pollMs,
      `${runs} runs of the limit to end`,
    );
  };
  return {
    name: 'limit',
    processes: () => workers.processes(),
    prepare: async () => undefined,
    submit,
    submitOne: (graph) => submit(graph, 1),
    run: (graph, runs) => start(graph, runs, 5),
    runOne: (graph) => start(graph, 1, 0),
    settle: async () => undefined,
    check: async () => undefined,
    setWorkers: async () => undefined,
    stop: async () => {
      await workers.set(0);
      client.disconnect();
    },
  };
}

/** `kind|run|i|size|milliseconds`, see limit-worker.ts. */
function firstStep(graph: PlainGraph, run: number): string {
  return graph.kind === 'chain' ? `c|${run}|0|${graph.steps}|${graph.stepMs}` : `f|${run}|0|${graph.width}|0`;
}
