import { MAX_BACKOFF_MS } from '@flotilla/contracts';

/** Ends of attempts are counted over one to two of these. */
const WINDOW_MS = 5000;
/** Fewer steps that fail in the window are no herd, however often each of them fails: one that polls keeps nobody waiting. */
const MIN_HERD_STEPS = 20;
/** More steps are not told apart. */
const MAX_COUNTED_STEPS = 1000;
/** A herd is spread over so many seconds: less than 4 % of it in each. */
const HERD_SECONDS = 28;

export interface RetryPlacement {
  /** Whose attempt has failed: names the step of the run. */
  step: string;
  nowMs: number;
  /** What the policy or the error asks for: never less. */
  delayMs: number;
  /** No longer than this, unless `delayMs` is: what is left of `maxElapsedMs`. */
  atMostMs: number;
  /** True when the error asked for the wait (Retry-After): then the cap of backoffs does not hold. */
  asked: boolean;
  /** Uniform in [0, 1). */
  random: () => number;
}

/**
 * Keeps what failed together from coming back together. Ordinary failures wait as their policy says. When most attempts
 * at what they share (a breaker, the origin of requests, else a handler) fail, those of many steps at a time, as when what they
 * call is down, or were all told to come back in the same moment, their retries are dealt out evenly over the following seconds.
 * Counts of one worker.
 */
export class RetrySpread {
  #windowAtMs = 0;
  #former = newCounts();
  #current = newCounts();
  /** Retries that were placed in each second of the clock. */
  readonly #placed = new Map<number, number>();

  succeeded(nowMs: number): void {
    this.#turn(nowMs);
    this.#current.succeeded += 1;
  }

  /** Notes a failure that is followed by another attempt, and says in how many milliseconds that may start. */
  place({ step, nowMs, delayMs, atMostMs, asked, random }: RetryPlacement): number {
    this.#turn(nowMs);
    this.#current.failed += 1;
    if (this.#current.steps.size < MAX_COUNTED_STEPS) this.#current.steps.add(step);
    const herd = this.#isHerd();
    const first = Math.floor((nowMs + delayMs) / 1000);
    const second = herd ? this.#leastPlaced(first, lastSecond(nowMs, delayMs, asked, atMostMs), random) : first;
    this.#placed.set(second, (this.#placed.get(second) ?? 0) + 1);
    return second === first ? delayMs : Math.max(delayMs, Math.floor(second * 1000 + random() * 1000 - nowMs));
  }

  /** The second in which the fewest come back, by chance among equals: other workers deal theirs out too. */
  #leastPlaced(first: number, last: number, random: () => number): number {
    let chosen = first;
    let fewest = Number.POSITIVE_INFINITY;
    let equals = 0;
    for (let second = first + 1; second <= last; second += 1) {
      const placed = this.#placed.get(second) ?? 0;
      if (placed > fewest) continue;
      equals = placed < fewest ? 1 : equals + 1;
      fewest = placed;
      if (random() * equals < 1) chosen = second;
    }
    return chosen;
  }

  #isHerd(): boolean {
    const [former, current] = [this.#former, this.#current];
    if (former.failed + current.failed <= former.succeeded + current.succeeded) return false;
    let steps = former.steps.size;
    for (const step of current.steps) if (!former.steps.has(step)) steps += 1;
    return steps >= MIN_HERD_STEPS;
  }

  #turn(nowMs: number): void {
    const aheadMs = nowMs - this.#windowAtMs;
    if (aheadMs < WINDOW_MS) return;
    this.#former = aheadMs < 2 * WINDOW_MS ? this.#current : newCounts();
    this.#current = newCounts();
    this.#windowAtMs = nowMs;
    const past = Math.floor(nowMs / 1000);
    for (const second of this.#placed.keys()) if (second < past) this.#placed.delete(second);
  }
}

interface Counts {
  failed: number;
  succeeded: number;
  /** Those whose attempts have failed. */
  steps: Set<string>;
}

function newCounts(): Counts {
  return { failed: 0, succeeded: 0, steps: new Set() };
}

/** The last whole second of the clock that a retry may be placed in. */
function lastSecond(nowMs: number, delayMs: number, asked: boolean, atMostMs: number): number {
  const cap = Math.min(atMostMs, asked ? Number.POSITIVE_INFINITY : MAX_BACKOFF_MS);
  return Math.min(Math.floor((nowMs + cap) / 1000) - 1, Math.floor((nowMs + delayMs) / 1000) + HERD_SECONDS);
}
