import { describe, expect, test } from '@jest/globals';
import { chanceOf } from '../random.ts';
import {
  FAULT_IDS,
  type FaultId,
  faultOf,
  readFaultList,
  SHORT_RUNS_BEGIN_WITH,
  SHORT_RUNS_MIX,
  takesAttempts,
} from './fault-table.ts';
import { type PlannedFault, planFaults } from './plan-faults.ts';

const MIX: FaultId[] = ['F1', 'F3', 'F5', 'F6', 'F12', 'F19'];
const plan = (seed: number, faults: readonly FaultId[] = MIX, windowMs = 150_000): PlannedFault[] =>
  planFaults({ chance: chanceOf(seed), faults, windowMs, workers: 3 });

describe('the plan of faults', () => {
  test('is a function of the seed', () => {
    expect(plan(7)).toEqual(plan(7));
    expect(plan(7)).not.toEqual(plan(8));
  });

  test.each(Array.from({ length: 40 }, (_, seed) => [seed]))(
    'of seed %d never holds one thing twice at once',
    (seed) => {
      const planned = plan(seed, FAULT_IDS, 600_000);
      for (const [index, fault] of planned.entries()) {
        const { hold } = faultOf(fault.id);
        const clash = planned.slice(index + 1).find((other) => {
          const isSame = faultOf(other.id).hold === hold && (hold !== 'worker' || other.slot === fault.slot);
          return isSame && other.atMs < fault.atMs + fault.variant.holdMs;
        });
        expect(clash).toBeUndefined();
      }
    },
  );

  test('begins with every kind once and stays in the window', () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const planned = plan(seed);
      expect(new Set(planned.slice(0, MIX.length).map(({ id }) => id)).size).toBe(MIX.length);
      for (const { atMs, variant } of planned) expect(atMs + variant.holdMs).toBeLessThanOrEqual(150_000);
      expect(planned.map(({ number }) => number)).toEqual(planned.map((_, index) => index + 1));
    }
  });

  test('uses each way of a fault in turn, without those that would take most of the window', () => {
    const names = (windowMs: number) => new Set(plan(3, ['F3'], windowMs).map(({ variant }) => variant.name));
    expect(names(300_000)).toEqual(new Set(['14 s', '2 s', '8 s', '40 s']));
    expect(names(100_000)).toEqual(new Set(['14 s', '2 s', '8 s']));
  });

  test('begins with what is asked for, and nothing comes beside it; whatever is not among the faults does not come', () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const planned = planFaults({
        chance: chanceOf(seed),
        faults: SHORT_RUNS_MIX,
        windowMs: 600_000,
        workers: 3,
        beginWith: ['F9', ...SHORT_RUNS_BEGIN_WITH],
      });
      const [first, second, third] = planned;
      expect([first?.id, second?.id, second?.variant.name]).toEqual(['F1', 'F3', '14 s']);
      expect(third!.atMs).toBeGreaterThan(second!.atMs + second!.variant.holdMs);
      // 600 runs at 16 a second, of which 10 s are warm-up.
      expect(third!.atMs).toBeLessThan(27_500);
      expect(new Set(planned.slice(0, SHORT_RUNS_MIX.length).map(({ id }) => id)).size).toBe(SHORT_RUNS_MIX.length);
    }
  });

  test('lets single kinds of faults come one after the other', () => {
    const planned = plan(3, ['F6'], 120_000);
    for (const [index, { atMs, variant }] of planned.entries()) {
      const next = planned[index + 1];
      if (next !== undefined) expect(next.atMs).toBeGreaterThan(atMs + variant.holdMs + faultOf('F6').boundMs);
    }
  });
});

describe('a list of faults', () => {
  test('is read in any case and order, with the names of mixes', () => {
    expect(readFaultList('f27, f5')).toEqual({ ids: ['F1', 'F3', 'F5', 'F6', 'F12', 'F19'], unknown: [] });
  });

  test('without one means all that need nothing special', () => {
    expect(readFaultList(undefined).ids).not.toContain('F16');
    expect(readFaultList(undefined).ids).toContain('F1');
  });

  test('names what it does not know', () => {
    expect(readFaultList('F1,F99,')).toEqual({ ids: ['F1'], unknown: ['F99', ''] });
  });
});

test('of what hits a worker, draining alone takes no attempts: there the runs are looked at', () => {
  const leaving = FAULT_IDS.filter((id) => faultOf(id).hold === 'worker' && !takesAttempts(id));
  expect(leaving).toEqual(['F2']);
  expect(FAULT_IDS.filter((id) => faultOf(id).hold !== 'worker' && takesAttempts(id))).toEqual([]);
});
