/** Runs of bulk redrives that a scheduler opens again in a second, over all requests: what was gone may be weak still. */
export const REDRIVEN_RUNS_A_SECOND = 50;

/** Gives out turns that lie apart, to everybody who asks: two bulk redrives together are no faster than one. */
export class Pace {
  readonly #apartMs: number;
  readonly #now: () => number;
  #next = 0;

  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#apartMs = 1000 / perSecond;
    this.#now = now;
  }

  /** Milliseconds until the turn that the caller has now. */
  take(): number {
    const now = this.#now();
    const turn = Math.max(now, this.#next);
    this.#next = turn + this.#apartMs;
    return turn - now;
  }
}
