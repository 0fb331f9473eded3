import { median } from '../../load/reporting/statistics.ts';

export interface Point {
  /** In any unit; slopes are per this unit. */
  x: number;
  y: number;
}

/** Growth of y with x, with the 95 % confidence interval. */
export interface Slope {
  perX: number;
  low: number;
  high: number;
  /** Blocks that it was estimated from. */
  blocks: number;
}

/** With fewer there is no interval worth the name. */
const LEAST_BLOCKS = 8;
const MOST_BLOCKS = 24;
const Z_95 = 1.959964;

/**
 * Theil-Sen: the median of the slopes between all pairs, with Sen's interval from the distribution of Kendall's S
 * (Sen 1968), so neither outliers nor odd distributions matter. Samples that follow each other are alike (a heap falls
 * when a cache is emptied and then grows for a while), and an interval that took them as independent would be too narrow:
 * so they are put together in blocks first, each represented by its medians. Undefined when there are too few points.
 */
export function slopeOf(points: readonly Point[]): Slope | undefined {
  const blocks = blocksOf(points);
  if (blocks.length < LEAST_BLOCKS) return undefined;
  const slopes: number[] = [];
  for (const [index, one] of blocks.entries()) {
    for (const other of blocks.slice(index + 1)) {
      if (other.x > one.x) slopes.push((other.y - one.y) / (other.x - one.x));
    }
  }
  slopes.sort((a, b) => a - b);
  const spread = Z_95 * Math.sqrt(varianceOfS(blocks.map(({ y }) => y)));
  const at = (rank: number) => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))]!;
  return {
    perX: median(slopes),
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
    blocks: blocks.length,
  };
}

/** Of Kendall's S when nothing grows; equal values, such as counts have, make it smaller. */
function varianceOfS(values: readonly number[]): number {
  const term = (n: number) => n * (n - 1) * (2 * n + 5);
  const ties = [...Map.groupBy(values, (value) => value).values()].reduce((sum, { length }) => sum + term(length), 0);
  return (term(values.length) - ties) / 18;
}

function blocksOf(points: readonly Point[]): Point[] {
  const ordered = points.toSorted((a, b) => a.x - b.x);
  const size = Math.max(1, Math.ceil(ordered.length / MOST_BLOCKS));
  const blocks: Point[] = [];
  for (let from = 0; from + size <= ordered.length; from += size) {
    const block = ordered.slice(from, from + size);
    blocks.push({ x: median(block.map(({ x }) => x)), y: median(block.map(({ y }) => y)) });
  }
  return blocks;
}
