import { setTimeout as pause } from 'node:timers/promises';
import type { Durability } from '@flotilla/contracts';
import type { FleetApi } from '@flotilla/testing';
import type { StartedGraph } from '../judge-runs.ts';
import { type MixedGraph, mixedGraph } from '../mixed-graphs.ts';
import { type Chance, chanceOf } from '../random.ts';

export interface LoadOptions {
  api: FleetApi;
  seed: number;
  /** So many runs are kept under way. */
  activeRuns: number;
  /** No further ones are started after this many: all are kept in memory until they are checked. */
  mostRuns: number;
  /** False: workers have no handlers but the built-in ones. Default true. */
  effects?: boolean;
  /** What run ids begin with. Default `load`. */
  prefix?: string;
  /** Of run number n. Default: what the API takes when nothing is said. */
  durabilityOf?: (index: number) => Durability;
}

const LOOK_EVERY_MS = 250;
const SUBMIT_MS = 60_000;
/** One in so many is submitted twice at once: it must be one run. */
const TWICE_EVERY = 10;

/** Keeps a number of runs of mixed shapes under way. Run number n of a seed is always the same graph. */
export class SteadyLoad {
  /** Runs that were acknowledged. */
  readonly graphs: StartedGraph[] = [];
  /** Run id -> why nobody said that it was accepted. It may run or not. */
  readonly unanswered = new Map<string, string>();
  readonly #options: LoadOptions;
  readonly #submitting = new Set<Promise<void>>();
  #submitted = 0;
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#keepGoing();
  }

  /** Starts nothing more; resolves when every submission has been answered or given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    await Promise.all(this.#submitting);
  }

  async #keepGoing(): Promise<void> {
    while (!this.#stopped) {
      const active = await this.#countActive();
      const room = this.#options.activeRuns - active - this.#submitting.size;
      for (let started = 0; started < room && this.#submitted < this.#options.mostRuns; started += 1) this.#submit();
      await pause(LOOK_EVERY_MS);
    }
  }

  /** While nobody answers no more are started than those that are being submitted. */
  async #countActive(): Promise<number> {
    try {
      const { runs } = await this.#options.api.get<{ runs: unknown[] }>('/v1/runs?status=running&limit=500', {
        timeoutMs: 2000,
        repeat: false,
      });
      return runs.length;
    } catch {
      return this.#options.activeRuns; // nobody can tell now; asked again soon
    }
  }

  #submit(): void {
    const { api, seed, durabilityOf, effects = true, prefix = 'load' } = this.#options;
    const index = this.#submitted;
    this.#submitted += 1;
    const runId = `${prefix}-${index}`;
    const chance = chanceOf(seed + index * 7919);
    const graph = effects ? withEffects(chance) : mixedGraph(chance);
    const durability = durabilityOf?.(index);
    const submission = { definition: graph.definition, input: graph.input, runId, ...(durability && { durability }) };
    const start = () => api.start(submission, { timeoutMs: SUBMIT_MS });
    const submitting = Promise.all(index % TWICE_EVERY === 0 ? [start(), start()] : [start()]).then(
      () => void this.graphs.push({ runId, graph }),
      (error: Error) => void this.unanswered.set(runId, error.message),
    );
    this.#submitting.add(submitting);
    void submitting.then(() => this.#submitting.delete(submitting));
  }
}

/** A mixed graph in which a third of the sleeping steps have an effect outside. */
function withEffects(chance: Chance): MixedGraph {
  const graph = mixedGraph(chance);
  for (const step of Object.values(graph.definition.steps)) {
    if ('use' in step && step.use === 'flotilla.sleep' && chance.next() < 0.34) step.use = 'record-effect';
  }
  return graph;
}
