import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { Pressure } from './judge-pressure.ts';

const SLOTS = 64;

/** Observes every 250 ms from `fromMs` for `forMs`, with all that is allowed under way. */
function busy(limit: ConcurrencyLimit, fromMs: number, forMs: number): number {
  for (let nowMs = fromMs; nowMs <= fromMs + forMs; nowMs += 250)
    limit.observe({ pressure: 'none', taken: limit.limit }, nowMs);
  return limit.limit;
}

describe('the limit of attempts at once', () => {
  test('is all slots while nothing is short', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    expect(busy(limit, 0, 10_000)).toBe(SLOTS);
  });

  test('is halved when something is short, of what is really under way, at most once a second', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe({ pressure: 'some', taken: 64 }, 0);
    expect(limit.limit).toBe(32);
    limit.observe({ pressure: 'some', taken: 64 }, 250);
    expect(limit.limit).toBe(32);
    limit.observe({ pressure: 'some', taken: 10 }, 1000);
    expect(limit.limit).toBe(5);
    for (let second = 2; second < 10; second += 1) limit.observe({ pressure: 'some', taken: 1 }, second * 1000);
    expect(limit.limit).toBe(1);
  });

  test('is halved at once by an attempt that was short of something', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.exhausted(64, 0);
    limit.exhausted(64, 100);
    expect(limit.limit).toBe(32);
  });

  test('comes back at once to three quarters of where it hurt, and by growing steps from there', () => {
    const limit = new ConcurrencyLimit(1000);
    limit.observe({ pressure: 'some', taken: 1000 }, 0);
    const limits = [250, 500, 750, 1250, 1750, 2250].map((atMs) => busy(limit, atMs, 0));
    expect(limits).toEqual([750, 750, 770, 810, 890, 1000]);
  });

  test('grows back only as far as it is used', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe({ pressure: 'some', taken: 64 }, 0);
    for (let nowMs = 250; nowMs < 60_000; nowMs += 250) limit.observe({ pressure: 'none', taken: 10 }, nowMs);
    expect(limit.limit).toBe(32);
    expect(busy(limit, 60_000, 4000)).toBe(SLOTS);
  });

  test('of a worker that knows nothing yet is all slots two looks after the first attempts have begun and used little', () => {
    const limit = new ConcurrencyLimit(1000, 128);
    const limits = [0, 50, 100, 150].map((atMs) => {
      limit.observe({ pressure: 'none', taken: 128, begun: atMs === 0 ? 0 : 128, share: 0.03 }, atMs);
      return limit.limit;
    });
    expect(limits).toEqual([128, 128, 1000, 1000]);
  });

  test('waits with that growth while the loop is late, but for small steps', () => {
    const limit = new ConcurrencyLimit(1000, 100);
    for (let nowMs = 0; nowMs < 500; nowMs += 50) {
      limit.observe({ pressure: 'none', taken: 100, share: 0.03, isLate: true }, nowMs);
    }
    expect(limit.limit).toBe(100);
    limit.observe({ pressure: 'none', taken: 100, share: 0.03, isLate: true }, 500);
    expect(limit.limit).toBe(120);
  });

  test("grows no further than what is measured would reach if all of it were the attempts'", () => {
    const limit = new ConcurrencyLimit(SLOTS, 7);
    for (const atMs of [0, 50]) limit.observe({ pressure: 'none', taken: 7, share: 0.5 }, atMs);
    expect(limit.limit).toBe(11);
    for (const atMs of [100, 150]) limit.observe({ pressure: 'none', taken: 11, share: 0.64 }, atMs);
    expect(limit.limit).toBe(13);
    for (const atMs of [200, 250]) limit.observe({ pressure: 'none', taken: 10, share: 0.64 }, atMs);
    expect(limit.limit).toBe(13);
  });

  test('is nothing while much is short, except one when nothing is under way', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe({ pressure: 'much', taken: 12 }, 0);
    expect(limit.limit).toBe(0);
    limit.observe({ pressure: 'much', taken: 0 }, 250);
    expect(limit.limit).toBe(1);
    limit.observe({ pressure: 'some', taken: 1 }, 500);
    expect(limit.limit).toBe(1);
  });

  test('after that begins with a tenth and doubles twice a second, as far as what is measured allows', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe({ pressure: 'much', taken: 12 }, 0);
    const limits = [0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000].map((atMs) => busy(limit, atMs, 0));
    expect(limits).toEqual([7, 7, 14, 14, 28, 28, 56, 56, 64]);
  });

  test('after an outage is a tenth, and doubles every five seconds from its end', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    for (let nowMs = 0; nowMs <= 3000; nowMs += 250) limit.outage(nowMs);
    const limits = [3250, 7750, 8000, 13_000, 18_000, 23_000].map((atMs) => {
      limit.observe({ pressure: 'none', taken: limit.limit }, atMs);
      return limit.limit;
    });
    expect(limits).toEqual([7, 7, 14, 28, 56, 64]);
  });

  test('after an outage is what still goes on from before it, and a tenth', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.outage(0);
    const limits = [
      [250, 40],
      [1000, 30],
      [1250, 20],
      [5000, 10],
      [5250, 0],
    ].map(([atMs = 0, carried = 0]) => {
      limit.observe({ pressure: 'none', taken: carried + 7, carried }, atMs);
      return limit.limit;
    });
    expect(limits).toEqual([7, 37, 27, 24, 14]);
  });

  test('after an outage has room for one, however few its slots are', () => {
    const first = [1, 2, 16].map((slots) => {
      const limit = new ConcurrencyLimit(slots);
      limit.outage(0);
      return limit.limit;
    });
    expect(first).toEqual([1, 1, 2]);
  });

  test('while short of something, an outage makes it no larger', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe({ pressure: 'much', taken: 12 }, 0);
    limit.outage(250);
    expect(limit.limit).toBe(0);
    limit.observe({ pressure: 'none', taken: 12 }, 500);
    limit.observe({ pressure: 'some', taken: 3 }, 1000);
    limit.outage(1250);
    expect(limit.limit).toBe(1);
  });

  test('stays within its slots, and never is nothing when nothing is under way', () => {
    const pressures = fc.constantFrom<Pressure>('none', 'some', 'much');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 600 }),
        fc.array(
          fc.record({
            pressure: pressures,
            taken: fc.nat(500),
            carried: fc.nat(500),
            share: fc.double({ min: 0, max: 1, noNaN: true }),
            isLate: fc.boolean(),
            isAway: fc.boolean(),
          }),
        ),
        (slots, first, seen) => {
          const limit = new ConcurrencyLimit(slots, first);
          let nowMs = 0;
          for (const { pressure, taken, carried, share, isLate, isAway } of seen) {
            nowMs += 250;
            if (taken > slots) limit.exhausted(taken, nowMs);
            limit.observe({ pressure, taken, carried, share, isLate }, nowMs);
            if (isAway) limit.outage(nowMs);
            expect(limit.limit).toBeGreaterThanOrEqual(pressure === 'much' && taken > 0 ? 0 : 1);
            expect(limit.limit).toBeLessThanOrEqual(slots);
          }
        },
      ),
    );
  });
});
