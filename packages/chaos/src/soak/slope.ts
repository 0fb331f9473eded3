import { median } from '@flotilla/reporting';

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
  /** Falls that it leaves out. */
  falls: number;
}

export interface SlopeOptions {
  /** True: a seldom, sudden fall is no part of the slope. Default false. */
  leaveOutFalls?: boolean;
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
 *
 * Once in a while V8 throws away code that was long not used, and a heap is megabytes smaller from then on: that would hide
 * a leak. With `leaveOutFalls` only pairs count that have no such fall between them, as in the seasonal Kendall test
 * (Hirsch, Slack and Smith 1982).
 */
export function slopeOf(points: readonly Point[], { leaveOutFalls = false }: SlopeOptions = {}): Slope | undefined {
  const blocks = blocksOf(points);
  if (blocks.length < LEAST_BLOCKS) return undefined;
  const parts = leaveOutFalls ? cutAtFalls(blocks) : [blocks];
  const slopes = parts.flatMap(slopesBetween).sort((a, b) => a - b);
  const variance = parts.reduce((sum, part) => sum + varianceOfS(part.map(({ y }) => y)), 0);
  const spread = Z_95 * Math.sqrt(variance);
  const at = (rank: number) => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))]!;
  return {
    perX: median(slopes),
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
    blocks: blocks.length,
    falls: parts.length - 1,
  };
}

function slopesBetween(blocks: readonly Point[]): number[] {
  return blocks.flatMap((one, index) =>
    blocks.slice(index + 1).flatMap((other) => (other.x > one.x ? [(other.y - one.y) / (other.x - one.x)] : [])),
  );
}

/** A fall is so many times the usual change between blocks, and such a share of the level. */
const TIMES_USUAL_CHANGE = 10;
const SHARE_OF_LEVEL = 0.05;
/** With more of them falls are how it goes, as of a cache that is emptied again and again, and are no exceptions. */
const MOST_FALLS = 2;

function cutAtFalls(blocks: readonly Point[]): Point[][] {
  const changes = blocks.slice(1).map(({ y }, index) => y - blocks[index]!.y);
  const usual = median(changes.map(Math.abs));
  const least = Math.max(TIMES_USUAL_CHANGE * usual, SHARE_OF_LEVEL * median(blocks.map(({ y }) => y)));
  const parts: Point[][] = [[]];
  for (const [index, block] of blocks.entries()) {
    if (index > 0 && -changes[index - 1]! > least) parts.push([]);
    parts.at(-1)!.push(block);
  }
  return parts.length - 1 > MOST_FALLS ? [[...blocks]] : parts;
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
