import { ownModule } from '@flotilla/local-fleet';
import { connectRedis } from '@flotilla/redis';
import { Queue } from 'bullmq';
import type { PlainGraph } from './graphs.ts';
import { type Target, type TargetOptions, until, WorkerGroup } from './target.ts';

/** What the processor needs to know of a graph, in each job. */
export interface PlainJob {
  kind: 'chain' | 'first' | 'branch' | 'last';
  run: string;
  i: number;
  /** Steps of the chain, or width of the fan. */
  size: number;
  waitMs: number;
  lastWaitMs: number;
}

const BATCH = 500;

export async function startPlain(options: TargetOptions): Promise<Target<PlainGraph>> {
  const workers = new WorkerGroup(ownModule('../programs/plain-worker', import.meta.url), /ready/, {
    ...options,
    nodeArgs: [],
  });
  await workers.set(options.workers);
  const { client } = connectRedis(options.redis.url, 'queue');
  const queue = new Queue<PlainJob>('steps', {
    connection: client,
    prefix: '{plain}',
    defaultJobOptions: { removeOnComplete: true },
  });
  const submit = async (graph: PlainGraph, runs: number) => {
    for (let first = 0; first < runs; first += BATCH) {
      const size = Math.min(BATCH, runs - first);
      await queue.addBulk(
        Array.from({ length: size }, (_, index) => {
          const data = firstJob(graph, String(first + index));
          return { name: data.kind, data };
        }),
      );
    }
  };
  const start = async (graph: PlainGraph, runs: number, pollMs: number) => {
    await client.set('{plain}:done', 0);
    await submit(graph, runs);
    await until(
      async () => Number(await client.get('{plain}:done')) === runs,
      pollMs,
      `${runs} runs of BullMQ plain to end`,
    );
  };
  return {
    name: 'plain',
    processes: () => workers.processes(),
    prepare: async () => undefined,
    submit,
    submitOne: async (graph) => {
      const data = firstJob(graph, '0');
      await queue.add(data.kind, data);
    },
    run: (graph, runs) => start(graph, runs, 5),
    runOne: (graph) => start(graph, 1, 0),
    settle: async () => undefined,
    check: async () => undefined,
    setWorkers: (count) => workers.set(count),
    stop: async () => {
      await workers.set(0);
      await queue.close();
      client.disconnect();
    },
  };
}

function firstJob(graph: PlainGraph, run: string): PlainJob {
  if (graph.kind === 'fan') return { kind: 'first', run, i: 0, size: graph.width, waitMs: 0, lastWaitMs: 0 };
  const { steps, stepMs, lastStepMs = stepMs } = graph;
  return { kind: 'chain', run, i: 0, size: steps, waitMs: stepMs, lastWaitMs: lastStepMs };
}
