/** Between the two nearest values when there is no value just there; NaN of nothing. `share` is from 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

interface InRound {
  round: number;
}

/**
 * Ratios of what was measured in the same round, so that a busy minute of the machine is in both halves. Rounds that lack
 * one half are left out.
 */
export function ratiosByRound<Upper extends InRound, Lower extends InRound>(
  upper: readonly Upper[],
  lower: readonly Lower[],
  figureOf: (entry: Upper | Lower) => number,
): number[] {
  return upper.flatMap((entry) => {
    const other = lower.find(({ round }) => round === entry.round);
    return other === undefined ? [] : [figureOf(entry) / figureOf(other)];
  });
}
