import { MAX_BACKOFF_MS } from '@flotilla/contracts';

/** Ends of attempts are counted over one to two of these. */
const WINDOW_MS = 5000;
/** Fewer failures in the window are no herd, however many of the attempts they are. */
const FEWEST_OF_HERD = 20;
/** A herd is spread over so many seconds: less than 4 % of it in each. */
const HERD_SECONDS = 28;

export interface RetryPlacement {
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
 * of a handler fail, many at a time, as when what they call is down, or were all told to come back in the same moment,
 * their retries are dealt out evenly over the following seconds. Counts of one handler in one worker.
 */
export class RetrySpread {
  #windowAtMs = 0;
  #former = { failed: 0, succeeded: 0 };
  #current = { failed: 0, succeeded: 0 };
  /** Retries that were placed in each second of the clock. */
  readonly #placed = new Map<number, number>();

  succeeded(nowMs: number): void {
    this.#turn(nowMs);
    this.#current.succeeded += 1;
  }

  /** Notes a failure that is followed by another attempt, and says in how many milliseconds that may start. */
  place({ nowMs, delayMs, atMostMs, asked, random }: RetryPlacement): number {
    this.#turn(nowMs);
    this.#current.failed += 1;
    const failed = this.#former.failed + this.#current.failed;
    const herd = failed >= FEWEST_OF_HERD && failed > this.#former.succeeded + this.#current.succeeded;
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

  #turn(nowMs: number): void {
    const aheadMs = nowMs - this.#windowAtMs;
    if (aheadMs < WINDOW_MS) return;
    this.#former = aheadMs < 2 * WINDOW_MS ? this.#current : { failed: 0, succeeded: 0 };
    this.#current = { failed: 0, succeeded: 0 };
    this.#windowAtMs = nowMs;
    const past = Math.floor(nowMs / 1000);
    for (const second of this.#placed.keys()) if (second < past) this.#placed.delete(second);
  }
}

/** The last whole second of the clock that a retry may be placed in. */
function lastSecond(nowMs: number, delayMs: number, asked: boolean, atMostMs: number): number {
  const cap = Math.min(atMostMs, asked ? Number.POSITIVE_INFINITY : MAX_BACKOFF_MS);
  return Math.min(Math.floor((nowMs + cap) / 1000) - 1, Math.floor((nowMs + delayMs) / 1000) + HERD_SECONDS);
}
