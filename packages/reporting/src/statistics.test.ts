import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { median, quantile, ratiosByRound } from './statistics.ts';

describe('quantiles', () => {
  test('of an even number of values lie between the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([5, 1, 3])).toBe(3);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
  });

  test('of nothing are no number', () => {
    expect(median([])).toBeNaN();
  });

  test('lie within the values, do not fall as the share grows, and leave the values as they were', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(values, share, share, (list, one, other) => {
        const before = [...list];
        const [less, more] = [Math.min(one, other), Math.max(one, other)].map((each) => quantile(list, each));
        expect(less!).toBeLessThanOrEqual(more! + 1e-9);
        expect(quantile(list, 0)).toBe(Math.min(...list));
        expect(quantile(list, 1)).toBe(Math.max(...list));
        expect(list).toEqual(before);
      }),
      { seed: 20261122 },
    );
  });
});

test('ratios pair what was measured in the same round, and leave out a round that lacks one half', () => {
  const upper = [3, 1, 2].map((round) => ({ round, rate: round * 10 }));
  const lower = [1, 2].map((round) => ({ round, rate: 5 }));
  expect(ratiosByRound(upper, lower, ({ rate }) => rate)).toEqual([2, 4]);
});
