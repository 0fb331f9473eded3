import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decideJoin, groupFires } from './decide-join.ts';
import {
  DELTA_FAILED,
  DELTA_SETTLED,
  DELTA_SUCCEEDED,
  decodeJoinCounter,
  encodeJoinCounter,
  type JoinCounter,
} from './join-counter.ts';
import type { JoinRule } from './plan.ts';

type Outcome = 'succeeded' | 'failed' | 'skipped';

const part = fc.integer({ min: 0, max: 2 ** 17 - 1 });
const rule = fc.constantFrom<JoinRule>('all', 'any', 'settled');
const outcome = fc.constantFrom<Outcome>('succeeded', 'failed', 'skipped');

describe('the counter of a group', () => {
  test('keeps its three parts', () => {
    fc.assert(
      fc.property(part, part, part, (pending, succeeded, failed) => {
        const counter = encodeJoinCounter({ pending, succeeded, failed });
        expect(Number.isSafeInteger(counter)).toBe(true);
        expect(decodeJoinCounter(counter)).toEqual({ pending, succeeded, failed });
      }),
    );
  });

  test('takes the deltas of edges as additions', () => {
    const counter = encodeJoinCounter({ pending: 4, succeeded: 0, failed: 0 });
    expect(decodeJoinCounter(counter + DELTA_SUCCEEDED + DELTA_FAILED + DELTA_SETTLED)).toEqual({
      pending: 1,
      succeeded: 1,
      failed: 1,
    });
  });

  test.each([{ pending: -1 }, { succeeded: 0.5 }, { failed: 2 ** 17 }])('refuses %p', (wrong) => {
    expect(() => encodeJoinCounter({ pending: 0, succeeded: 0, failed: 0, ...wrong })).toThrow(RangeError);
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])('does not read %p as a counter', (wrong) => {
    expect(() => decodeJoinCounter(wrong)).toThrow(RangeError);
  });
});

/** The rules as the language's description has them, over all outcomes at once. */
function expectedRun(join: JoinRule, outcomes: readonly Outcome[]): { run: boolean; reason?: string } {
  const succeeded = outcomes.includes('succeeded');
  const failed = outcomes.includes('failed');
  if (join === 'settled') return { run: true };
  if (join === 'any' && succeeded) return { run: true };
  if (failed) return { run: false, reason: 'upstream-failed' };
  return succeeded ? { run: true } : { run: false, reason: 'upstream-skipped' };
}

function settleInOrder(join: JoinRule, outcomes: readonly Outcome[]) {
  const deltas = { succeeded: DELTA_SUCCEEDED, failed: DELTA_FAILED, skipped: DELTA_SETTLED };
  const fired: { at: number; counter: JoinCounter }[] = [];
  let counter = encodeJoinCounter({ pending: outcomes.length, succeeded: 0, failed: 0 });
  for (const [at, one] of outcomes.entries()) {
    const before = decodeJoinCounter(counter);
    counter += deltas[one];
    const after = decodeJoinCounter(counter);
    if (groupFires(join, before, after)) fired.push({ at, counter: after });
  }
  return fired;
}

describe('a join', () => {
  test('fires once and decides as the rules say, in whatever order its needs settle', () => {
    fc.assert(
      fc.property(rule, fc.array(outcome, { minLength: 1, maxLength: 8 }), (join, outcomes) => {
        const fired = settleInOrder(join, outcomes);
        expect(fired).toHaveLength(1);
        const decision = decideJoin({ join, branchTarget: false, needs: outcomes.length }, fired[0]!.counter);
        expect(decision).toEqual(expectedRun(join, outcomes));
      }),
    );
  });

  test('any fires at the first success, all and settled at the last need', () => {
    fc.assert(
      fc.property(rule, fc.array(outcome, { minLength: 1, maxLength: 8 }), (join, outcomes) => {
        const at = settleInOrder(join, outcomes)[0]!.at;
        const firstSuccess = outcomes.indexOf('succeeded');
        expect(at).toBe(join === 'any' && firstSuccess >= 0 ? firstSuccess : outcomes.length - 1);
      }),
    );
  });

  test('of a target of branches runs only when it was chosen', () => {
    const target = { branchTarget: true, needs: 2 };
    const none = { pending: 0, succeeded: 0, failed: 0 };
    expect(decideJoin({ ...target, join: 'all' }, none)).toEqual({ run: false, reason: 'not-chosen' });
    expect(decideJoin({ ...target, join: 'settled' }, none)).toEqual({ run: false, reason: 'not-chosen' });
    expect(decideJoin({ ...target, join: 'all' }, { ...none, succeeded: 1 })).toEqual({ run: true });
    expect(decideJoin({ ...target, join: 'settled' }, { ...none, succeeded: 1, failed: 1 })).toEqual({ run: true });
    expect(decideJoin({ ...target, join: 'all' }, { ...none, succeeded: 1, failed: 1 })).toEqual({
      run: false,
      reason: 'upstream-failed',
    });
  });

  test('without needs runs', () => {
    expect(decideJoin({ join: 'all', branchTarget: false, needs: 0 }, { pending: 0, succeeded: 0, failed: 0 })).toEqual(
      { run: true },
    );
  });
});
