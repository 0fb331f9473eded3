import { setTimeout as pause } from 'node:timers/promises';
import type { Durability } from '@flotilla/contracts';
import type { FleetApi } from '@flotilla/testing';
import type { StartedGraph } from '../judge-runs.ts';
import { type MixedGraph, mixedGraph } from '../mixed-graphs.ts';
import { type Chance, chanceOf } from '../random.ts';
import { type NamedSubmission, submitRuns } from './submit-runs.ts';

export interface LoadOptions {
  api: FleetApi;
  seed: number;
  /** So many runs are kept under way. */
  activeRuns: number;
  /** No further ones are started when this many were accepted: all are kept in memory until they are checked. */
  mostRuns: number;
  /** No more are started in a second. Default: as many as there is room for. */
  runsPerSecond?: number;
  /** True: what is started at one time is submitted in one request. Default: a request for each run. */
  inBatches?: boolean;
  /** Default: `mixedGraph`. */
  graphOf?: (chance: Chance) => MixedGraph;
  /** False: workers have no handlers but the built-in ones. Default true. */
  effects?: boolean;
  /** What run ids begin with. Default `load`. */
  prefix?: string;
  /** Of run number n. Default: what the API takes when nothing is said. */
  durabilityOf?: (index: number) => Durability;
}

const LOOK_EVERY_MS = 250;
/** Where a rate is given there is no room to be noticed at once, and looking costs the fleet more than a run does. */
const LOOK_EVERY_MS_AT_A_RATE = 1000;
const SUBMIT_MS = 60_000;
/** One in so many is submitted twice at once: it must be one run. */
const TWICE_EVERY = 10;

/** What could not be started for so long is not made up for. */
const LONGEST_PAUSE_MS = 2000;

/** Keeps a number of runs of mixed shapes under way. Run number n of a seed is always the same graph. */
export class SteadyLoad {
  /** Runs that were acknowledged. */
  readonly graphs: StartedGraph[] = [];
  /** Fulfilled when as many were as are wanted, or the load was stopped. */
  readonly enough: Promise<void>;
  /** Run id -> why nobody said that it was accepted. It may run or not. */
  readonly unanswered = new Map<string, string>();
  readonly #options: LoadOptions;
  readonly #submitting = new Set<Promise<void>>();
  #submitted = 0;
  #underSubmission = 0;
  #stopped = false;
  #tellEnough: () => void = () => undefined;
  #loop: Promise<void> | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.enough = new Promise((resolve) => {
      this.#tellEnough = resolve;
    });
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
    const { activeRuns, mostRuns, runsPerSecond = Number.POSITIVE_INFINITY } = this.#options;
    for (let lookedAt = performance.now(); !this.#stopped && this.graphs.length < mostRuns; ) {
      const active = await this.#countActive();
      const passedMs = Math.min(LONGEST_PAUSE_MS, performance.now() - lookedAt);
      lookedAt = performance.now();
      const room = Math.min(
        activeRuns - active - this.#underSubmission,
        mostRuns - this.graphs.length - this.#underSubmission,
        Math.ceil((runsPerSecond * passedMs) / 1000),
      );
      if (room > 0) this.#submit(room);
      await pause(runsPerSecond === Number.POSITIVE_INFINITY ? LOOK_EVERY_MS : LOOK_EVERY_MS_AT_A_RATE);
    }
    this.#tellEnough();
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

  #submit(count: number): void {
    const runs = Array.from({ length: count }, () => this.#next());
    const groups = this.#options.inBatches === true ? [runs] : runs.map((run) => [run]);
    for (const group of groups) {
      this.#underSubmission += group.length;
      const submitting = this.#submitAll(group).finally(() => {
        this.#underSubmission -= group.length;
        this.#submitting.delete(submitting);
      });
      this.#submitting.add(submitting);
    }
  }

  #next(): NewRun {
    const { seed, durabilityOf, effects = true, prefix = 'load', graphOf = mixedGraph } = this.#options;
    const index = this.#submitted;
    this.#submitted += 1;
    const chance = chanceOf(seed + index * 7919);
    const graph = effects ? withEffects(graphOf(chance), chance) : graphOf(chance);
    const durability = durabilityOf?.(index);
    const { definition, input } = graph;
    const submission = { definition, input, runId: `${prefix}-${index}`, ...(durability && { durability }) };
    return { index, graph, submission };
  }

  async #submitAll(runs: readonly NewRun[]): Promise<void> {
    const submit = (some: readonly NewRun[]) => this.#submitOnce(some.map(({ submission }) => submission));
    const twice = runs.filter(({ index }) => index % TWICE_EVERY === 0);
    const refused = await Promise.all([submit(runs), ...(twice.length > 0 ? [submit(twice)] : [])]);
    for (const { graph, submission } of runs) {
      const { runId } = submission;
      const why = refused.map((reasons) => reasons.get(runId)).find((reason) => reason !== undefined);
      if (why === undefined) this.graphs.push({ runId, graph });
      else this.unanswered.set(runId, why);
    }
  }

  /** What was not accepted: run id -> why. */
  async #submitOnce(submissions: readonly NamedSubmission[]): Promise<ReadonlyMap<string, string>> {
    const { api, inBatches } = this.#options;
    if (inBatches === true) return submitRuns(api, submissions, SUBMIT_MS);
    const [submission] = submissions;
    if (submission === undefined) return new Map();
    return api.start(submission, { timeoutMs: SUBMIT_MS }).then(
      () => new Map(),
      (error: Error) => new Map([[submission.runId, error.message]]),
    );
  }
}

interface NewRun {
  index: number;
  graph: MixedGraph;
  submission: NamedSubmission;
}

/** The graph with an effect outside in a third of its sleeping steps. */
export function withEffects(graph: MixedGraph, chance: Chance): MixedGraph {
  for (const step of Object.values(graph.definition.steps)) {
    if ('use' in step && step.use === 'flotilla.sleep' && chance.next() < 0.34) step.use = 'record-effect';
  }
  return graph;
}
