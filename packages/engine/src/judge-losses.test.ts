import { describe, expect, test } from '@jest/globals';
import { isPoison, isTooRiskyBesideOthers, type LostAttempt, mustBeAlone } from './judge-losses.ts';

const beside = (worker: string): LostAttempt => ({ worker, alone: false });
const alone = (worker: string): LostAttempt => ({ worker, alone: true });

describe('a step that was lost', () => {
  test('gets a process to itself when it was lost twice', () => {
    expect([0, 1, 2, 3].map(mustBeAlone)).toEqual([false, false, true, true]);
  });

  test.each([5, 20])('%i times beside others is convicted of nothing', (count) => {
    expect(isPoison(Array.from({ length: count }, (_, index) => beside(`w-${index}`)))).toBe(false);
  });

  test('is made beside others up to ten losses where it cannot be made alone', () => {
    expect([2, 10, 11].map(isTooRiskyBesideOthers)).toEqual([false, false, true]);
  });

  test('is poison when it has ended two processes of its own, with two workers struck', () => {
    expect(isPoison([beside('w-1'), beside('w-2'), alone('w-3')])).toBe(false);
    expect(isPoison([beside('w-1'), beside('w-2'), alone('w-3'), alone('w-3')])).toBe(true);
    expect(isPoison([alone('w-1'), alone('w-2')])).toBe(true);
  });

  test('is not poison where one worker alone was struck: that may be what is broken', () => {
    expect(isPoison([beside('w-1'), beside('w-1'), alone('w-1'), alone('w-1'), alone('w-1')])).toBe(false);
  });
});
