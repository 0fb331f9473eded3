/** The golden ratio's fraction: its multiples fill an interval evenly, however many of them there are. */
const GOLDEN = 0.6180339887498949;

/** Steps that a breaker parked come back over at least this long: no second gets a twentieth of them, also on a fleet that stalls. */
export const SHORTEST_RETURN_MS = 45_000;
/** Many come back over longer, this much for each, within `LONGEST_RETURN_MS`. */
const RETURN_MS_PER_STEP = 60;
const LONGEST_RETURN_MS = 300_000;

export function returnSpreadMs(parkedSteps: number): number {
  return Math.min(LONGEST_RETURN_MS, Math.max(SHORTEST_RETURN_MS, parkedSteps * RETURN_MS_PER_STEP));
}

/**
 * Spreads what waits for the same moment evenly over a time after it. The first of each moment comes at that moment: it is
 * the one that tests the way back.
 */
export class ReturnSpread {
  #moment: number | undefined;
  #taken = 0;

  /** How many have a place after the latest moment. */
  get taken(): number {
    return this.#taken;
  }

  /** Milliseconds after `moment`, below `overMs`. */
  next(moment: number, overMs: number): number {
    if (this.#moment !== moment) {
      this.#moment = moment;
      this.#taken = 0;
    }
    const place = (this.#taken * GOLDEN) % 1;
    this.#taken += 1;
    return Math.floor(place * overMs);
  }
}
