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

  describe('of which a fall is left out', () => {
    /** Grows by 2 all the time, and falls by 20 of 50 at two thirds. */
    const fallen = (seed: number) => series(seed, 2, 0.02).map(({ x, y }) => ({ x, y: x > 0.66 ? y - 20 : y }));

    test('is that of the rest', () => {
      const { perX, low, high, falls } = slopeOf(fallen(1), { leaveOutFalls: true })!;
      expect(perX).toBeCloseTo(2, 0);
      expect(low).toBeGreaterThan(1.5);
      expect(high).toBeLessThan(2.5);
      expect(falls).toBe(1);
    });

    test('is hidden by it otherwise', () => {
      expect(slopeOf(fallen(1))!.low).toBeLessThan(0);
    });

    test('is not changed where nothing falls', () => {
      expect(slopeOf(series(4, 2, 1), { leaveOutFalls: true })).toEqual(slopeOf(series(4, 2, 1)));
    });

    test('keeps falls that come again and again', () => {
      const sawtooth = Array.from({ length: POINTS }, (_, index) => ({ x: index, y: 50 + (index % 40) / 2 }));
      const { low, high, falls } = slopeOf(sawtooth, { leaveOutFalls: true })!;
      expect(falls).toBe(0);
      expect(low).toBeLessThanOrEqual(0);
      expect(high).toBeGreaterThanOrEqual(0);
    });

    test('keeps sudden growth, which a leak may be', () => {
      const risen = series(1, 0, 0.02).map(({ x, y }) => ({ x, y: x > 0.5 ? y + 20 : y }));
      expect(slopeOf(risen, { leaveOutFalls: true })!.low).toBeGreaterThan(0);
    });
  });
});
