import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ConcurrencyLimit, judgePressure, mayBeStarved, type Pressure, type Resources } from './concurrency-limit.ts';

const SLOTS = 64;

/** Observes every 250 ms from `fromMs` for `forMs`, with all that is allowed under way. */
function busy(limit: ConcurrencyLimit, fromMs: number, forMs: number): number {
  for (let nowMs = fromMs; nowMs <= fromMs + forMs; nowMs += 250) limit.observe('none', limit.limit, nowMs);
  return limit.limit;
}

describe('the limit of attempts at once', () => {
  test('is all slots while nothing is short', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    expect(busy(limit, 0, 10_000)).toBe(SLOTS);
  });

  test('is halved when something is short, of what is really under way, at most once a second', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe('some', 64, 0);
    expect(limit.limit).toBe(32);
    limit.observe('some', 64, 250);
    expect(limit.limit).toBe(32);
    limit.observe('some', 10, 1000);
    expect(limit.limit).toBe(5);
    for (let second = 2; second < 10; second += 1) limit.observe('some', 1, second * 1000);
    expect(limit.limit).toBe(1);
  });

  test('is halved at once by an attempt that was short of something', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.exhausted(64, 0);
    limit.exhausted(64, 100);
    expect(limit.limit).toBe(32);
  });

  test('grows back by small steps, but only as far as it is used', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe('some', 64, 0);
    expect(busy(limit, 250, 750)).toBe(34);
    for (let nowMs = 1000; nowMs < 60_000; nowMs += 250) limit.observe('none', 10, nowMs);
    expect(limit.limit).toBe(34);
    expect(busy(limit, 60_000, 31_000)).toBe(SLOTS);
  });

  test("grows no further than memory would reach if all of it were the attempts'", () => {
    const limit = new ConcurrencyLimit(SLOTS, { slowStart: true });
    limit.observe('none', 7, 0, 0.5);
    limit.observe('none', 7, 5000, 0.5);
    expect(limit.limit).toBe(11);
    limit.observe('none', 11, 10_000, 0.64);
    expect(limit.limit).toBe(13);
    limit.observe('none', 10, 15_000, 0.64);
    expect(limit.limit).toBe(13);
  });

  test('is nothing while much is short, except one when nothing is under way', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe('much', 12, 0);
    expect(limit.limit).toBe(0);
    limit.observe('much', 0, 250);
    expect(limit.limit).toBe(1);
    limit.observe('some', 1, 500);
    expect(limit.limit).toBe(1);
  });

  test('after that begins with a tenth and doubles every five seconds', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    limit.observe('much', 12, 0);
    const limits = [0, 5000, 10_000, 15_000, 20_000].map((atMs) => {
      limit.observe('none', limit.limit, atMs);
      return limit.limit;
    });
    expect(limits).toEqual([7, 14, 28, 56, 64]);
  });

  test('begins so where the heap is small for that many', () => {
    expect(new ConcurrencyLimit(SLOTS, { slowStart: true }).limit).toBe(7);
    expect([mayBeStarved(64, 128 << 20), mayBeStarved(64, 2 ** 31), mayBeStarved(4, 128 << 20)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('after an outage is a tenth, and doubles every five seconds from its end', () => {
    const limit = new ConcurrencyLimit(SLOTS);
    for (let nowMs = 0; nowMs <= 3000; nowMs += 250) limit.outage(nowMs);
    const limits = [3250, 7750, 8000, 13_000, 18_000, 23_000].map((atMs) => {
      limit.observe('none', limit.limit, atMs);
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
      limit.observe('none', carried + 7, atMs, 0, carried);
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
    limit.observe('much', 12, 0);
    limit.outage(250);
    expect(limit.limit).toBe(0);
    limit.observe('none', 12, 500);
    limit.observe('some', 3, 1000);
    limit.outage(1250);
    expect(limit.limit).toBe(1);
  });

  test('stays within its slots, and never is nothing when nothing is under way', () => {
    const pressures = fc.constantFrom<Pressure>('none', 'some', 'much');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.boolean(),
        fc.array(fc.tuple(pressures, fc.nat(500), fc.nat(500), fc.boolean())),
        (slots, slowStart, seen) => {
          const limit = new ConcurrencyLimit(slots, { slowStart });
          let nowMs = 0;
          for (const [pressure, taken, carried, isAway] of seen) {
            nowMs += 250;
            if (taken > slots) limit.exhausted(taken, nowMs);
            limit.observe(pressure, taken, nowMs, 0, carried);
            if (isAway) limit.outage(nowMs);
            expect(limit.limit).toBeGreaterThanOrEqual(pressure === 'much' && taken > 0 ? 0 : 1);
            expect(limit.limit).toBeLessThanOrEqual(slots);
          }
        },
      ),
    );
  });
});

describe('what is short', () => {
  const fine: Resources = {
    heapUsed: 50,
    heapLimit: 100,
    rss: 50,
    memoryLimit: 100,
    loopLagMs: 5,
    cpuShare: 0.9,
  };

  test.each([
    [{}, 'none', ''],
    [{ heapUsed: 70 }, 'some', 'heap 70 %'],
    [{ heapUsed: 90 }, 'much', 'heap 90 %'],
    [{ rss: 82 }, 'some', 'memory 82 %'],
    [{ rss: 95 }, 'much', 'memory 95 %'],
    [{ rss: 95, memoryLimit: undefined }, 'none', ''],
    [{ heapUsed: 70, rss: 95 }, 'much', 'memory 95 %'],
    [{ loopLagMs: 1500 }, 'some', 'event loop 1500 ms late'],
    // Others have the processor.
    [{ loopLagMs: 1500, cpuShare: 0.1 }, 'none', ''],
  ] as const)('%j is %s: %s', (resources, pressure, of) => {
    expect(judgePressure({ ...fine, ...resources })).toMatchObject({ pressure, of });
  });
});
