import type { AgentPerformance } from '@flotilla/contracts';

/** How an attempt ended, as far as it speaks of the agent. `neither`: cancelled, handed back, or refused by the step itself. */
export type AttemptOutcome = 'succeeded' | 'failed' | 'neither';

/** What a worker tells of its work. */
export interface WorkReport extends AgentPerformance {
  /** Since the process began. */
  totalSucceeded: number;
  totalFailed: number;
  /** By handler: attempts of it, and what one usually takes (median), those under way included where they already take longer. */
  handlers: Record<string, { attempts: number; typicalMs: number }>;
}

const WINDOW_MS = 60_000;
const BUCKETS = 10;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** Weight of the newest attempt in the mean. */
const WEIGHT = 0.2;
/** Attempts that the 95th percentile is of. */
const MOST_DURATIONS = 256;
const MOST_OF_A_HANDLER = 32;
/** Long enough for steps that take minutes to be comparable. */
const HANDLER_WINDOW_MS = 600_000;
/** Attempts that are too few to say anything. */
const LEAST_SAMPLE = 2;
/** Handlers in one report: those with the most attempts. */
const MOST_REPORTED = 24;
/** Steps that are remembered of a row of failures. */
const MOST_FAILED_STEPS = 1000;

interface Bucket {
  /** Number of the bucket since the process began. */
  number: number;
  succeeded: number;
  failed: number;
}

interface Timed {
  at: number;
  ms: number;
}

/**
 * Measures an agent's own attempts: outcomes in a sliding window, response times, failures in a row. In memory, a few
 * operations an attempt. `clock` is monotonic, in ms.
 */
export class WorkMeter {
  readonly #clock: () => number;
  /** Told of each failure that counts, with how many different steps have failed in a row. */
  onFailure: ((consecutive: number) => void) | undefined;
  readonly #buckets: Bucket[] = Array.from({ length: BUCKETS }, () => ({ number: -1, succeeded: 0, failed: 0 }));
  readonly #durations: Timed[] = [];
  #nextDuration = 0;
  readonly #byHandler = new Map<string, { times: Timed[]; next: number }>();
  readonly #underWay = new Map<string, { handler: string; startedAt: number }>();
  /** Of the failures in a row: a step that fails again and again says something of the step. */
  readonly #failedSteps = new Set<string>();
  #totalSucceeded = 0;
  #totalFailed = 0;
  #meanMs: number | undefined;

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  began(attemptId: string, handler: string): void {
    this.#underWay.set(attemptId, { handler, startedAt: this.#clock() });
  }

  /** A step that could not even be begun here, for a reason that speaks of the agent. `step` as of `ended`. */
  couldNotBegin(step: string): void {
    if (this.#noteFailure(step, this.#clock())) this.onFailure?.(this.#failedSteps.size);
  }

  /** `step`: `run/step`, by which failures of the same step are known. */
  ended(attemptId: string, outcome: AttemptOutcome, step: string): void {
    const attempt = this.#underWay.get(attemptId);
    if (attempt === undefined) return;
    this.#underWay.delete(attemptId);
    if (outcome === 'neither') return;
    const now = this.#clock();
    if (outcome === 'succeeded') {
      this.#failedSteps.clear();
      this.#totalSucceeded += 1;
      this.#bucketAt(now).succeeded += 1;
    } else if (!this.#noteFailure(step, now)) return;
    this.#noteDuration(attempt.handler, { at: now, ms: now - attempt.startedAt });
    if (outcome === 'failed') this.onFailure?.(this.#failedSteps.size);
  }

  /** What attempts took before is forgotten: a probation is judged by its own. */
  forgetDurations(): void {
    this.#byHandler.clear();
    this.#durations.length = 0;
    this.#nextDuration = 0;
    this.#meanMs = undefined;
  }

  report(): WorkReport {
    const now = this.#clock();
    const oldest = Math.floor(now / BUCKET_MS) - BUCKETS + 1;
    let succeeded = 0;
    let failed = 0;
    for (const bucket of this.#buckets) {
      if (bucket.number < oldest) continue;
      succeeded += bucket.succeeded;
      failed += bucket.failed;
    }
    const volume = succeeded + failed;
    const recent = this.#durations.filter(({ at }) => now - at <= WINDOW_MS).map(({ ms }) => ms);
    const p95Ms = percentileOf(recent, 0.95);
    return {
      windowMs: WINDOW_MS,
      succeeded,
      failed,
      successRate: volume === 0 ? 1 : succeeded / volume,
      errorRate: volume === 0 ? 0 : failed / volume,
      consecutiveFailures: this.#failedSteps.size,
      ...(this.#meanMs === undefined ? {} : { responseTimeMs: rounded(this.#meanMs) }),
      ...(p95Ms === undefined ? {} : { p95Ms: rounded(p95Ms) }),
      totalSucceeded: this.#totalSucceeded,
      totalFailed: this.#totalFailed,
      handlers: this.#reportHandlers(now),
    };
  }

  /** False when the step has failed before in this row. */
  #noteFailure(step: string, now: number): boolean {
    if (this.#failedSteps.has(step) || this.#failedSteps.size >= MOST_FAILED_STEPS) return false;
    this.#failedSteps.add(step);
    this.#totalFailed += 1;
    this.#bucketAt(now).failed += 1;
    return true;
  }

  #bucketAt(now: number): Bucket {
    const number = Math.floor(now / BUCKET_MS);
    const bucket = this.#buckets[number % BUCKETS]!;
    if (bucket.number !== number) Object.assign(bucket, { number, succeeded: 0, failed: 0 });
    return bucket;
  }

  #noteDuration(handler: string, timed: Timed): void {
    this.#meanMs = this.#meanMs === undefined ? timed.ms : this.#meanMs + WEIGHT * (timed.ms - this.#meanMs);
    this.#durations[this.#nextDuration] = timed;
    this.#nextDuration = (this.#nextDuration + 1) % MOST_DURATIONS;
    let own = this.#byHandler.get(handler);
    if (own === undefined) {
      own = { times: [], next: 0 };
      this.#byHandler.set(handler, own);
    }
    own.times[own.next] = timed;
    own.next = (own.next + 1) % MOST_OF_A_HANDLER;
  }

  #reportHandlers(now: number): WorkReport['handlers'] {
    const times = new Map<string, number[]>();
    const ended = new Map<string, Timed[]>();
    for (const [handler, own] of this.#byHandler) {
      const recent = own.times.filter(({ at }) => now - at <= HANDLER_WINDOW_MS);
      if (recent.length === 0) continue;
      ended.set(handler, recent);
      times.set(
        handler,
        recent.map(({ ms }) => ms),
      );
    }
    const ages = Map.groupBy(this.#underWay.values(), ({ handler }) => handler);
    for (const [handler, attempts] of ages) {
      const usualMs = percentileOf(times.get(handler) ?? [], 0.5) ?? 0;
      // An attempt under way takes at least as long as it has taken: it counts once that is longer than usual.
      const late = attempts.map(({ startedAt }) => now - startedAt).filter((ms) => ms > usualMs);
      // Beside those that ended while it was under way: what was quick before says nothing of now.
      const since = now - (percentileOf(late, 0.5) ?? 0);
      const meanwhile = (ended.get(handler) ?? []).filter(({ at }) => at > since).map(({ ms }) => ms);
      const sample = [...meanwhile, ...late.slice(0, MOST_OF_A_HANDLER)];
      if (late.length > 0 && sample.length >= LEAST_SAMPLE) times.set(handler, sample);
    }
    const most = [...times].sort(([, a], [, b]) => b.length - a.length).slice(0, MOST_REPORTED);
    return Object.fromEntries(
      most.flatMap(([handler, all]) =>
        all.length === 0
          ? []
          : [[handler, { attempts: all.length, typicalMs: rounded(percentileOf(all, 0.5)!) }] as const],
      ),
    );
  }
}

function percentileOf(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
