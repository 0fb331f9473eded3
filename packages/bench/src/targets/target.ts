import { type LocalRedis, type StartedProcess, spawnNode } from '@flotilla/local-fleet';
import type { BenchTarget } from '../options.ts';
import type { Graph } from './graphs.ts';

/** What a target is started with. */
export interface TargetOptions {
  redis: LocalRedis;
  /** Worker processes; 0 for submissions alone. */
  workers: number;
  /** Steps at once in each of them. */
  slots: number;
  /** For node itself. */
  nodeArgs: readonly string[];
}

export interface MeasuredProcess {
  role: 'redis' | 'scheduler' | 'worker';
  pid: number;
}

/** A system under measurement: its processes are up and it waits for work. */
export interface Target<Shape extends Graph = Graph> {
  readonly name: BenchTarget;
  /** Those that run now, without Redis. */
  processes(): readonly MeasuredProcess[];
  /** What has to be known of a graph before the first run of it. */
  prepare(graph: Shape): Promise<void>;
  /** Starts so many runs in large batches; returns when all have been accepted. */
  submit(graph: Shape, runs: number): Promise<void>;
  /** Starts one run, in one call. */
  submitOne(graph: Shape): Promise<void>;
  /** `submit`, then waits until all have ended. */
  run(graph: Shape, runs: number): Promise<void>;
  /** One run from its submission to its end. */
  runOne(graph: Shape): Promise<void>;
  /** Waits until nothing that was submitted is under way between processes. */
  settle(): Promise<void>;
  /** Rejects when one of the last runs did not succeed: runs that fail end early, and their times would flatter. */
  check(): Promise<void>;
  /** Starts or ends worker processes. */
  setWorkers(count: number): Promise<void>;
  stop(): Promise<void>;
}

const DEADLINE_MS = 180_000;
const START_MS = 60_000;

/** Polls; 0 for as fast as it goes. */
export async function until(done: () => Promise<boolean>, pollMs: number, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Worker processes of one program, more or fewer of them as it is wished. */
export class WorkerGroup {
  readonly #start: () => Promise<StartedProcess>;
  readonly #running: StartedProcess[] = [];

  constructor(
    program: string,
    ready: RegExp,
    { redis, slots, nodeArgs }: TargetOptions,
    env: Record<string, string> = {},
  ) {
    this.#start = async () => {
      const process = await spawnNode(program, [], {
        env: { REDIS_URL: redis.url, BENCH_CONCURRENCY: String(slots), ...env },
        nodeArgs,
      });
      await process.waitForLine(ready, START_MS);
      return process;
    };
  }

  processes(): MeasuredProcess[] {
    return this.#running.map(({ pid }) => ({ role: 'worker', pid }));
  }

  async set(count: number): Promise<void> {
    const ending = this.#running.splice(count);
    await Promise.all(ending.map((process) => process.stop()));
    const missing = Math.max(0, count - this.#running.length);
    this.#running.push(...(await Promise.all(Array.from({ length: missing }, () => this.#start()))));
  }
}
