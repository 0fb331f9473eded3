import { describe, expect, test } from '@jest/globals';
import { faultOf } from '../driver/fault-table.ts';
import { chanceOf } from '../random.ts';
import { planSoakFaults, soakTimes } from './soak-plan.ts';

const MINUTE_MS = 60_000;
const FAULTS = ['F1', 'F6', 'F12'] as const;

function planOf(minutes: number, seed = 7) {
  const times = soakTimes(minutes * MINUTE_MS);
  return { times, plan: planSoakFaults({ chance: chanceOf(seed), faults: FAULTS, times, workers: 2 }) };
}

describe('the times of a soak', () => {
  test.each([1.5, 10, 60, 1440])('of %d minutes fit into them', (minutes) => {
    const { measureCapacityMs, settleMs, measureMs } = soakTimes(minutes * MINUTE_MS);
    expect(measureCapacityMs + settleMs + measureMs).toBeCloseTo(minutes * MINUTE_MS);
  });

  test.each([1.5, 10, 60])('of %d minutes let runs be removed before anything is measured', (minutes) => {
    const { settleMs, retentionMs } = soakTimes(minutes * MINUTE_MS);
    expect(settleMs).toBeGreaterThanOrEqual(retentionMs);
  });
});

describe('the plan of a soak', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(planOf(60).plan).toEqual(planOf(60).plan);
    expect(planOf(60, 8).plan).not.toEqual(planOf(60).plan);
  });

  test('of an hour has a fault every five minutes, of each kind, in each of its ways that fit', () => {
    const { plan } = planOf(60);
    expect(plan.length).toBeGreaterThanOrEqual(8);
    expect(new Set(plan.map(({ id }) => id))).toEqual(new Set(FAULTS));
    expect(new Set(plan.filter(({ id }) => id === 'F12').map(({ variant }) => variant.name))).toEqual(
      new Set(['5 s', '20 s']),
    );
  });

  test.each([1.5, 5, 60])(
    'of %d minutes makes no fault before the one before is over and recovered from',
    (minutes) => {
      const { plan, times } = planOf(minutes);
      expect(plan.length).toBeGreaterThan(0);
      const overAt = plan.map(({ id, atMs, variant }) => atMs + variant.holdMs + faultOf(id).boundMs);
      for (const [index, { atMs }] of plan.slice(1).entries()) expect(atMs).toBeGreaterThanOrEqual(overAt[index]!);
      expect(overAt.at(-1)).toBeLessThanOrEqual(times.measureMs);
    },
  );

  test('is meant only for workers that may be hit', () => {
    expect(planOf(1440).plan.every(({ slot }) => slot < 2)).toBe(true);
  });
});
