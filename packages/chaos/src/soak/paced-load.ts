import { setTimeout as pause } from 'node:timers/promises';
import type { FleetApi } from '@flotilla/local-fleet';
import { kitchenSink, type SoakGraph } from './kitchen-sink.ts';

export interface OpenRun {
  runId: string;
  graph: SoakGraph;
  /** Wall clock. */
  acceptedAt: number;
}

export interface PacedLoadOptions {
  api: FleetApi;
  /** Where a scheduler listens now. */
  url: () => string;
  seed: number;
  leakBytes: number;
}

/** So many runs under way, or so many started a second whatever the fleet does with them. */
type Pace = { active: number } | { perSecond: number; mostOpen: number };

const TICK_MS = 50;
const SUBMIT_MS = 60_000;
const SUBMIT_AT_ONCE = 8;
/** Runs a tick. */
const GROWTH = 0.25;
const UNTIL_CANCEL_MS = 200;
const FOLLOW_A_LITTLE_MS = 500;
const FOLLOW_MS = 120_000;

/** Starts runs of the kitchen sink at a pace, and treats some of them as callers do. */
export class PacedLoad {
  /** Accepted, and not known to have ended. */
  readonly open = new Map<string, OpenRun>();
  /** Why nobody said that they were accepted. They may run or not. */
  readonly unanswered: string[] = [];
  accepted = 0;
  ended = 0;
  /** Not started because too many were open: the fleet was away, or was too slow for the pace. */
  heldBack = 0;
  readonly #options: PacedLoadOptions;
  readonly #busy = new Set<Promise<void>>();
  #submitting = 0;
  #next = 0;
  #pace: Pace = { active: 0 };
  #owed = 0;
  #allowed = 1;
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(options: PacedLoadOptions) {
    this.#options = options;
  }

  start(pace: Pace): void {
    this.#pace = pace;
    this.#owed = 0;
    this.#loop ??= this.#keepGoing();
  }

  /** Told by whoever looks at the runs. False: it was told before. */
  hasEnded(runId: string): boolean {
    const isNews = this.open.delete(runId);
    if (isNews) this.ended += 1;
    return isNews;
  }

  /** Starts nothing more; resolves when every call has been answered or given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    while (this.#busy.size > 0) await Promise.all(this.#busy);
  }

  async #keepGoing(): Promise<void> {
    let lookedAt = performance.now();
    while (!this.#stopped) {
      await pause(TICK_MS);
      const now = performance.now();
      const count = this.#countDue(now - lookedAt);
      lookedAt = now;
      for (let started = 0; started < count; started += 1) this.#track(this.#submit());
    }
  }

  #countDue(elapsedMs: number): number {
    const open = this.open.size + this.#submitting;
    if ('active' in this.#pace) return this.#countRoom(this.#pace.active, open);
    const { perSecond, mostOpen } = this.#pace;
    this.#owed += (elapsedMs / 1000) * perSecond;
    const due = Math.floor(this.#owed);
    this.#owed -= due;
    const room = Math.max(0, mostOpen - open);
    this.heldBack += Math.max(0, due - room);
    return Math.min(due, room);
  }

  /** A crowd at a cold scheduler would end in timeouts: it grows as long as submissions are answered as fast as they come. */
  #countRoom(active: number, open: number): number {
    if (this.#submitting < SUBMIT_AT_ONCE / 2) this.#allowed = Math.min(active, this.#allowed + GROWTH);
    return Math.max(0, Math.min(this.#allowed - open, SUBMIT_AT_ONCE - this.#submitting));
  }

  #track(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  async #submit(): Promise<void> {
    const { api, seed, leakBytes } = this.#options;
    const index = this.#next;
    this.#next += 1;
    const graph = kitchenSink(seed, index, leakBytes);
    const { definition, input, treatment, tags } = graph;
    const identity = treatment === 'by key, twice' ? { idempotencyKey: `key-${index}` } : { runId: `soak-${index}` };
    const body = { definition, input, tags, ...identity };
    const start = () => api.start(body, { timeoutMs: SUBMIT_MS });
    this.#submitting += 1;
    try {
      const [{ runId }] = await Promise.all([start(), ...(treatment.endsWith('twice') ? [start()] : [])]);
      this.open.set(runId, { runId, graph, acceptedAt: Date.now() });
      this.accepted += 1;
      this.#track(this.#treat(runId, graph));
    } catch (error) {
      this.unanswered.push(`run ${index}: ${(error as Error).message}`);
    } finally {
      this.#submitting -= 1;
    }
  }

  /** That a call gets no answer while something is broken on purpose is no failure of the soak: the histories are judged. */
  async #treat(runId: string, { treatment }: SoakGraph): Promise<void> {
    try {
      if (treatment === 'cancelled') {
        await pause(UNTIL_CANCEL_MS);
        await this.#options.api.request('POST', `/v1/runs/${runId}/cancel`, {});
      } else if (treatment === 'followed') await this.#follow(runId, FOLLOW_MS);
      else if (treatment === 'followed a little') await this.#follow(runId, FOLLOW_A_LITTLE_MS);
    } catch {
      return;
    }
  }

  async #follow(runId: string, mostMs: number): Promise<void> {
    const signal = AbortSignal.timeout(mostMs);
    const response = await fetch(`${this.#options.url()}/v1/runs/${runId}/events`, { signal });
    await response.text();
  }
}
