/** A repeatable source of chance: the same seed gives the same numbers. */
export interface Chance {
  readonly seed: number;
  /** From 0 to below 1. */
  next(): number;
  /** Whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/** The seed of FLOTILLA_SEED, else a new one; print it, so that a failure can be repeated. */
export function chanceOf(seed = Number(process.env['FLOTILLA_SEED']) || Math.floor(Math.random() * 2 ** 31)): Chance {
  let state = seed >>> 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return { seed, next, between, pick: (items) => items[between(0, items.length - 1)]! };
}
