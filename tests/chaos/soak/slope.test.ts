import { describe, expect, test } from '@jest/globals';
import { type Chance, chanceOf } from '../random.ts';
import { slopeOf } from './slope.ts';

const POINTS = 240;
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

/** Roughly normal, with a standard deviation of 1. */
const noise = (chance: Chance) => Array.from({ length: 12 }, () => chance.next()).reduce((sum, n) => sum + n, -6);

function series(seed: number, perX: number, deviation: number): { x: number; y: number }[] {
  const chance = chanceOf(seed);
  return Array.from({ length: POINTS }, (_, index) => {
    const x = index / POINTS;
    return { x, y: 50 + perX * x + deviation * noise(chance) };
  });
}

/** Each value is most of the one before, as the heap after two collections is. */
function alikeSeries(seed: number): { x: number; y: number }[] {
  const chance = chanceOf(seed);
  let y = 0;
  return Array.from({ length: POINTS }, (_, index) => {
    y = 0.8 * y + noise(chance);
    return { x: index / POINTS, y };
  });
}

describe('a slope', () => {
  test('is that of a straight line, without any doubt', () => {
    const points = Array.from({ length: 48 }, (_, index) => ({ x: index, y: 3 + 2 * index }));
    const slope = slopeOf(points)!;
    for (const value of [slope.perX, slope.low, slope.high]) expect(value).toBeCloseTo(2);
  });

  test('is 0 of what does not change', () => {
    const points = Array.from({ length: 48 }, (_, index) => ({ x: index, y: 17 }));
    expect(slopeOf(points)).toMatchObject({ perX: 0, low: 0, high: 0 });
  });

  test('has an interval that holds the truth about nineteen times in twenty', () => {
    const held = SEEDS.filter((seed) => {
      const { low, high } = slopeOf(series(seed, 2, 1))!;
      return low <= 2 && high >= 2;
    });
    expect(held.length).toBeGreaterThanOrEqual(35);
  });

  test('has an interval that still holds 0 when samples are like the one before', () => {
    const held = SEEDS.filter((seed) => {
      const { low, high } = slopeOf(alikeSeries(seed))!;
      return low <= 0 && high >= 0;
    });
    expect(held.length).toBeGreaterThanOrEqual(35);
  });

  test('is not moved by outliers', () => {
    const points = series(1, 2, 0.1).map((point, index) => (index % 20 === 19 ? { ...point, y: 5000 } : point));
    expect(slopeOf(points)!.perX).toBeCloseTo(2, 0);
  });

  test('has a narrower interval with less noise', () => {
    const width = (deviation: number) => {
      const { low, high } = slopeOf(series(3, 2, deviation))!;
      return high - low;
    };
    expect(width(0.1)).toBeLessThan(width(1) / 5);
  });

  test('does not depend on the order of the points', () => {
    const points = series(5, 1, 1);
    expect(slopeOf(points.toReversed())).toEqual(slopeOf(points));
  });

  test('is not told of seven points', () => {
    expect(slopeOf(series(1, 2, 1).slice(0, 7))).toBeUndefined();
    expect(slopeOf(series(1, 2, 1).slice(0, 8))).toBeDefined();
  });
});
