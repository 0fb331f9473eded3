import { DEFAULT_RETRY_POLICY, MAX_BACKOFF_MS } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from './backoff.ts';
import { RetrySpread } from './spread-retries.ts';

const SEED = 20_240_501;
const START_MS = 1_700_000_000_250;

/** Mulberry32: the same numbers for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Share of the retries that start in each second after the failures. */
function sharesOf(startsMs: readonly number[]): number[] {
  const counts: number[] = [];
  for (const atMs of startsMs) {
    const second = Math.floor((atMs - START_MS) / 1000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count = 0) => count / startsMs.length);
}

function failTogether(workers: number, failures: number, asked: number | undefined, random: () => number): number[] {
  const spreads = Array.from({ length: workers }, () => new RetrySpread());
  return Array.from({ length: failures }, (_, index) => {
    const nowMs = START_MS + index * 0.5;
    const delayMs = asked ?? backoffMs(DEFAULT_RETRY_POLICY, 1, random());
    const placement = {
      step: `step-${index}`,
      nowMs,
      delayMs,
      atMostMs: 86_400_000,
      asked: asked !== undefined,
      random,
    };
    return nowMs + spreads[index % workers]!.place(placement);
  });
}

describe('a thousand failures in half a second', () => {
  test.each([
    [1, undefined],
    [4, undefined],
    [1, 5000],
    [4, 5000],
  ])('over %i workers, told to wait %p ms, come back with no later second above 5 %%', (workers, asked) => {
    const random = seeded(SEED);
    const shares = sharesOf(failTogether(workers, 1000, asked, random));
    const firstSecond = Math.floor((asked ?? 0) / 1000);
    // What failed before it was a herd comes back in the first second, as its policy says.
    expect(shares[firstSecond]).toBeLessThan(0.09);
    const later = shares.slice(firstSecond + 1);
    expect(Math.max(...later)).toBeLessThanOrEqual(0.05);
    expect(later.length).toBeGreaterThanOrEqual(20);
  });

  test('without it more than half of them come back in the first second', () => {
    const random = seeded(SEED);
    const startsMs = Array.from({ length: 1000 }, () => START_MS + backoffMs(DEFAULT_RETRY_POLICY, 1, random()));
    expect(sharesOf(startsMs)[0]).toBeGreaterThan(0.5);
  });
});

describe('failures that are no herd', () => {
  let steps = 0;
  const place = (spread: RetrySpread, nowMs: number, delayMs = 100, step = `step-${steps++}`) =>
    spread.place({ step, nowMs, delayMs, atMostMs: 86_400_000, asked: false, random: seeded(SEED) });

  test('wait as their policy says: few of them, or few among many successes', () => {
    const few = new RetrySpread();
    for (let index = 0; index < 19; index += 1) expect(place(few, START_MS)).toBe(100);
    const among = new RetrySpread();
    for (let index = 0; index < 1000; index += 1) {
      for (let good = 0; good < 2; good += 1) among.succeeded(START_MS + index);
      expect(place(among, START_MS + index)).toBe(100);
    }
  });

  test('wait as their policy says when one step alone fails again and again, as one that polls does', () => {
    const spread = new RetrySpread();
    for (let poll = 0; poll < 200; poll += 1) expect(place(spread, START_MS + poll * 200, 200, 'alone')).toBe(200);
  });

  test('are ordinary again when the herd is seconds ago', () => {
    const spread = new RetrySpread();
    for (let index = 0; index < 100; index += 1) place(spread, START_MS);
    expect(place(spread, START_MS + 1000)).toBeGreaterThan(100);
    expect(place(spread, START_MS + 12_000)).toBe(100);
  });
});

test('a placed retry waits at least what was asked, and not beyond what is left or the cap of backoffs', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          aheadMs: fc.integer({ min: 0, max: 400 }),
          delayMs: fc.integer({ min: 0, max: 60_000 }),
          leftMs: fc.integer({ min: 0, max: 90_000 }),
          asked: fc.boolean(),
        }),
        { minLength: 30, maxLength: 200 },
      ),
      fc.integer(),
      (failures, seed) => {
        const spread = new RetrySpread();
        const random = seeded(seed);
        let nowMs = START_MS;
        for (const { aheadMs, delayMs, leftMs, asked } of failures) {
          nowMs += aheadMs;
          const atMostMs = delayMs + leftMs;
          const waitMs = spread.place({ step: `step-${nowMs % 40}`, nowMs, delayMs, atMostMs, asked, random });
          expect(waitMs).toBeGreaterThanOrEqual(delayMs);
          expect(waitMs).toBeLessThanOrEqual(Math.max(delayMs, Math.min(atMostMs, asked ? 1e9 : MAX_BACKOFF_MS)));
        }
      },
    ),
  );
});
