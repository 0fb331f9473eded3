import { describe, expect, test } from '@jest/globals';
import { leastCompletionRate } from './completion-rate.ts';

describe('the completion rate that is sure at 95 %', () => {
  test('is 0.05^(1/n) when nothing failed: 99.9 % takes 2,995 runs, 10,000 runs give 99.97 %', () => {
    expect(leastCompletionRate(0, 2994)).toBeLessThan(0.999);
    expect(leastCompletionRate(0, 2995)).toBeGreaterThanOrEqual(0.999);
    expect(leastCompletionRate(0, 10_000)).toBeCloseTo(0.99970047, 7);
  });

  test('takes 4,742 runs for 99.9 % when one failed', () => {
    expect(leastCompletionRate(1, 4741)).toBeLessThan(0.999);
    expect(leastCompletionRate(1, 4742)).toBeGreaterThanOrEqual(0.999);
  });

  // R: binom.test(successes, total, alternative = "greater")$conf.int[1]
  test.each([
    [1, 10, 0.6058367],
    [5, 10, 0.2224411],
    [9, 10, 0.005116197],
  ])('is what R gives for %d failures of %d', (failed, total, expected) => {
    expect(leastCompletionRate(failed, total)).toBeCloseTo(expected, 6);
  });

  test('falls with each failure, and is 0 when nothing is known or nothing went right', () => {
    const rates = [0, 1, 2, 10, 100, 10_000].map((failed) => leastCompletionRate(failed, 10_000));
    expect(rates).toEqual(rates.toSorted((a, b) => b - a));
    expect(new Set(rates).size).toBe(rates.length);
    expect([leastCompletionRate(0, 0), leastCompletionRate(10_000, 10_000)]).toEqual([0, 0]);
  });
});
