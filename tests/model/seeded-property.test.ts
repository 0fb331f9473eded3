import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperty } from './seeded-property.ts';

describe('a property', () => {
  test('is tried with as many examples as were asked for, and tells how many', async () => {
    const told: string[] = [];
    let tried = 0;
    const count = async () => {
      tried += 1;
    };
    await checkProperty(fc.integer(), count, { numRuns: 50, timeLimitMs: 20_000, tell: (line) => told.push(line) });
    expect(tried).toBe(50);
    expect(told).toEqual([expect.stringMatching(/^held for 50 of 50 examples, seed \d+$/)]);
  });

  test('is tried with the least number when the time is up at once', async () => {
    const told: string[] = [];
    let tried = 0;
    const count = async () => {
      tried += 1;
    };
    const settings = { numRuns: 50, timeLimitMs: -1, tell: (line: string) => told.push(line) };
    await checkProperty(fc.integer(), count, settings);
    expect(tried).toBe(5);
    await checkProperty(fc.integer(), count, { ...settings, leastRuns: 20 });
    expect(tried).toBe(25);
    expect(told).toEqual([expect.stringMatching(/^held for 5 of 50 /), expect.stringMatching(/^held for 20 of 50 /)]);
  });

  test('that was tried too little has not been shown', async () => {
    const settings = { numRuns: 5, leastRuns: 6, timeLimitMs: 20_000, tell: () => undefined };
    await expect(checkProperty(fc.integer(), async () => undefined, settings)).rejects.toThrow('only 5 examples');
  });

  test('that does not hold says how to see it again', async () => {
    const isSmall = async (number: number) => expect(number).toBeLessThan(10);
    const settings = { numRuns: 1000, timeLimitMs: 20_000, tell: () => undefined };
    await expect(checkProperty(fc.nat(), isSmall, settings)).rejects.toThrow(
      /FLOTILLA_SEED=\d+.*Counterexample: \[10\]/s,
    );
  });
});
