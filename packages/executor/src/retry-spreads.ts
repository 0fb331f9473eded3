import { RetrySpread } from '@flotilla/engine';

/** The origins of requests are as many as authors like. */
const MAX_RETRY_SPREADS = 500;

/** One spread of retries for each thing that attempts share (see `spreadKeyOf`). */
export class RetrySpreads {
  readonly #spreads = new Map<string, RetrySpread>();

  of(key: string): RetrySpread {
    const spread = this.#spreads.get(key) ?? new RetrySpread();
    // The one that was not used for the longest time is the first.
    this.#spreads.delete(key);
    this.#spreads.set(key, spread);
    if (this.#spreads.size > MAX_RETRY_SPREADS) {
      for (const oldest of this.#spreads.keys()) {
        this.#spreads.delete(oldest);
        break;
      }
    }
    return spread;
  }
}
