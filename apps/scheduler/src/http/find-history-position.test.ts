import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findHistoryPosition } from './find-history-position.ts';

describe('findHistoryPosition', () => {
  test('finds the first event at or after a time, in a number of reads that grows with the logarithm', async () => {
    const times = fc.array(fc.nat(500), { maxLength: 300 }).map((list) => list.sort((one, two) => one - two));
    await fc.assert(
      fc.asyncProperty(times, fc.nat(600), async (history, at) => {
        let reads = 0;
        const found = await findHistoryPosition(async (after) => {
          reads += 1;
          const time = history[after + 1];
          return time === undefined ? undefined : { at: time };
        }, at);
        const expected = history.findIndex((time) => time >= at);
        expect(found).toBe(expected === -1 ? history.length : expected);
        expect(reads).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(history.length + 2)) + 2);
      }),
    );
  });
});
