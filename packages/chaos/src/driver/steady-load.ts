import { setTimeout as pause } from 'node:timers/promises';
import type { Durability } from '@flotilla/contracts';
import type { FleetApi } from '@flotilla/local-fleet';
import { type MixedGraph, mixedGraph } from '../graphs/mixed-graphs.ts';
import type { StartedGraph } from '../judge-runs.ts';
import { type Chance, chanceOf } from '../random.ts';
import { type NamedSubmission, submitRuns } from './submit-runs.ts';
import { treat } from './treatments.ts';

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
  /** False: workers have no handlers but the built-in ones, and runs are only started (`treat`). Default true. */
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
  /** Submissions and cancellations that have not been answered. */
  readonly #busy = new Set<Promise<void>>();
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
    while (this.#busy.size > 0) await Promise.all(this.#busy);
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

  /**
   * Those that have not begun count as well: while no worker takes any, more would only pile up before it. While nobody
   * answers no more are started than those that are being submitted.
   */
  async #countActive(): Promise<number> {
    const count = async (status: string): Promise<number> => {
      const path = `/v1/runs?status=${status}&limit=500`;
      const { runs } = await this.#options.api.get<{ runs: unknown[] }>(path, { timeoutMs: 2000, repeat: false });
      return runs.length;
    };
    try {
      const [pending, running] = await Promise.all([count('pending'), count('running')]);
      return pending + running;
    } catch {
      return this.#options.activeRuns; // nobody can tell now; asked again soon
    }
  }

  #submit(count: number): void {
    const runs = Array.from({ length: count }, () => this.#next());
    const groups = this.#options.inBatches === true ? [runs] : runs.map((run) => [run]);
    for (const group of groups) {
      this.#underSubmission += group.length;
      this.#track(
        this.#submitAll(group).finally(() => {
          this.#underSubmission -= group.length;
        }),
      );
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#busy.delete(tracked));
    this.#busy.add(tracked);
  }

  #next(): NewRun {
    const { seed, durabilityOf, effects = true, prefix = 'load', graphOf = mixedGraph } = this.#options;
    const index = this.#submitted;
    this.#submitted += 1;
    const chance = chanceOf(seed + index * 7919);
    const made = effects ? withEffects(graphOf(chance), chance) : graphOf(chance);
    const { graph, idempotencyKey, ...treated } = effects ? treat(index, prefix, made, chance) : { graph: made };
    const durability = durabilityOf?.(index);
    const { definition, input } = graph;
    const body = { definition, input, ...(durability && { durability }), ...(idempotencyKey && { idempotencyKey }) };
    const runId = `${prefix}-${index}`;
    // Were the key not known again, there would be a second run under the second id.
    const again = idempotencyKey === undefined ? {} : { again: { ...body, runId: `${runId}-again` } };
    return { index, graph, submission: { ...body, runId }, ...again, ...treated };
  }

  async #submitAll(runs: readonly NewRun[]): Promise<void> {
    const submit = (some: readonly NewRun[]) => this.#submitOnce(some.map(({ submission }) => submission));
    const twice = runs.filter(({ index }) => index % TWICE_EVERY === 0);
    const refused = await Promise.all([submit(runs), ...(twice.length > 0 ? [submit(twice)] : [])]);
    const again = runs.flatMap((run) => (refused[0].has(run.submission.runId) ? [] : (run.again ?? [])));
    const refusedAgain = await this.#submitOnce(again);
    for (const { graph, submission, again: second, cancelAfterMs } of runs) {
      const { runId } = submission;
      const reasons = [...refused.map((all) => all.get(runId)), second && refusedAgain.get(second.runId)];
      const why = reasons.find((reason) => reason !== undefined);
      if (why === undefined) this.graphs.push({ runId, graph });
      else this.unanswered.set(runId, why);
      if (why === undefined && cancelAfterMs !== undefined) this.#track(this.#cancel(runId, cancelAfterMs));
    }
  }

  /** That nobody answers while something is broken on purpose is no failure: what the history says of it is judged. */
  async #cancel(runId: string, afterMs: number): Promise<void> {
    await pause(afterMs);
    await this.#options.api
      .request('POST', `/v1/runs/${runId}/cancel`, undefined, { timeoutMs: SUBMIT_MS })
      .catch(() => undefined);
  }

  /** What was not accepted: run id -> why. */
  async #submitOnce(submissions: readonly NamedSubmission[]): Promise<ReadonlyMap<string, string>> {
    const { api, inBatches } = this.#options;
    const [submission] = submissions;
    if (submission === undefined) return new Map();
    if (inBatches === true) return submitRuns(api, submissions, SUBMIT_MS);
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
  /** Follows when the first was answered. */
  again?: NamedSubmission;
  cancelAfterMs?: number;
}

/** The graph with an effect outside in a third of its sleeping steps. */
export function withEffects(graph: MixedGraph, chance: Chance): MixedGraph {
  for (const step of Object.values(graph.definition.steps)) {
    if ('use' in step && step.use === 'flotilla.sleep' && chance.next() < 0.34) step.use = 'record-effect';
  }
  return graph;
}
