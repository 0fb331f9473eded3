import { fileURLToPath } from 'node:url';
import { connectRedis, type RedisClient } from '@flotilla/redis';
import { type LocalRedis, type StartedProcess, spawnNode } from '@flotilla/testing';
import { Queue } from 'bullmq';
import { definitionOf, type Workload } from './workloads.ts';

/** A system under measurement: its processes are up, `run` drives one workload to its end. */
export interface Target {
  name: string;
  processes: StartedProcess[];
  /** Starts all runs and waits until they have ended. */
  run: (workload: Workload) => Promise<void>;
  /** One run from its submission to its end. */
  runOne: (workload: Workload) => Promise<void>;
  stop: () => Promise<void>;
}

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const app = (name: string) =>
  fileURLToPath(
    new URL(`../../apps/${name}/${process.env['BENCH_DIST'] ? 'dist/main.js' : 'src/main.ts'}`, import.meta.url),
  );
/** `BENCH_PROFILE=folder` writes a CPU profile of each process there. */
const profile = process.env['BENCH_PROFILE'];
const nodeArgs = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
const DEADLINE_MS = 180_000;

async function until(done: () => Promise<boolean>, pollMs: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error('the workload did not end in time');
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

async function startWorkers(
  path: string,
  redis: LocalRedis,
  count: number,
  ready: RegExp,
  env: Record<string, string>,
) {
  const processes: StartedProcess[] = [];
  for (let index = 0; index < count; index += 1) {
    const process = await spawnNode(path, [], { env: { REDIS_URL: redis.url, ...env }, nodeArgs });
    await process.waitForLine(ready, 20_000);
    processes.push(process);
  }
  return processes;
}

export async function startPlain(redis: LocalRedis, workers: number): Promise<Target> {
  const processes = await startWorkers(file('plain-worker.ts'), redis, workers, /ready/, {});
  const { client } = connectRedis(redis.url, 'queue');
  const queue = new Queue('steps', {
    connection: client,
    prefix: '{plain}',
    defaultJobOptions: { removeOnComplete: true },
  });
  const start = async (workload: Workload, runs: number, pollMs: number) => {
    await client.set('{plain}:done', 0);
    const kind = workload.name === 'chain' ? 'chain' : 'first';
    for (let first = 0; first < runs; first += 500) {
      const size = Math.min(500, runs - first);
      await queue.addBulk(
        Array.from({ length: size }, (_, index) => ({ name: kind, data: { kind, run: String(first + index), i: 0 } })),
      );
    }
    await until(async () => Number(await client.get('{plain}:done')) === runs, pollMs);
  };
  return {
    name: 'BullMQ plain',
    processes,
    run: (workload) => start(workload, workload.runs, 5),
    runOne: (workload) => start(workload, 1, 0),
    stop: async () => {
      await Promise.all(processes.map((process) => process.stop()));
      await queue.close();
      client.disconnect();
    },
  };
}

export async function startLimit(redis: LocalRedis): Promise<Target> {
  const processes = await startWorkers(file('limit-worker.ts'), redis, 1, /ready/, {});
  const { client } = connectRedis(redis.url, 'commands');
  const start = async (workload: Workload, runs: number, pollMs: number) => {
    await client.set('{limit}:done', 0);
    const letter = workload.name === 'chain' ? 'c' : 'f';
    for (let first = 0; first < runs; first += 1000) {
      const size = Math.min(1000, runs - first);
      await client.rpush(
        '{limit}:ready',
        ...Array.from({ length: size }, (_, index) => `${letter}|${first + index}|0`),
      );
    }
    await until(async () => Number(await client.get('{limit}:done')) === runs, pollMs);
  };
  return {
    name: 'one-Lua limit',
    processes,
    run: (workload) => start(workload, workload.runs, 5),
    runOne: (workload) => start(workload, 1, 0),
    stop: async () => {
      await Promise.all(processes.map((process) => process.stop()));
      client.disconnect();
    },
  };
}

export async function startFlotilla(redis: LocalRedis, workers: number): Promise<Target> {
  const env = {
    REDIS_URL: redis.url,
    FLOTILLA_PORT: '0',
    FLOTILLA_NAMESPACE: 'bench',
    FLOTILLA_HANDLERS: file('bench-handlers.ts'),
    FLOTILLA_CONCURRENCY: process.env['BENCH_CONCURRENCY'] ?? '64',
  };
  const scheduler = await spawnNode(app('scheduler'), [], { env, nodeArgs });
  const [line] = (await scheduler.waitForLine(/^.*"msg":"ready".*$/, 20_000)) as unknown as [string];
  const { url } = JSON.parse(line) as { url: string };
  const processes = [scheduler, ...(await startWorkers(app('worker'), redis, workers, /"msg":"ready"/, env))];
  const { client } = connectRedis(redis.url, 'commands');
  const registered = new Set<string>();
  const start = async (workload: Workload, runs: number, pollMs: number) => {
    const workflow = `bench-${workload.name}`;
    if (!registered.has(workflow)) {
      await post(`${url}/v1/workflows`, definitionOf(workload.name));
      registered.add(workflow);
    }
    if (runs === 1) {
      await post(`${url}/v1/runs`, { workflow });
    } else {
      const batches: Promise<unknown>[] = [];
      for (let first = 0; first < runs; first += 500) {
        const size = Math.min(500, runs - first);
        batches.push(post(`${url}/v1/runs/batch`, { runs: Array.from({ length: size }, () => ({ workflow })) }));
      }
      await Promise.all(batches);
    }
    await until(async () => (await activeRuns(client)) === 0, pollMs);
  };
  return {
    name: 'Flotilla',
    processes,
    run: (workload) => start(workload, workload.runs, 5),
    runOne: (workload) => start(workload, 1, 0),
    stop: async () => {
      await Promise.all(processes.map((process) => process.stop()));
      client.disconnect();
    },
  };
}

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${(await response.text()).slice(0, 500)}`);
  return response.json();
}

async function activeRuns(client: RedisClient): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: 8 }, (_, partition) => client.zcard(`{bench:0${partition}}:active`)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
