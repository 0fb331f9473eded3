import type { HistoryEvent, RunView, StepView } from '@flotilla/contracts';
import { findViolations } from '@flotilla/testing';
import { describe, expect, test } from '@jest/globals';

/** The judge of all other tests, judged: it finds nothing in a good history and the harm that was done to a bad one. */

const HEAD = { workflow: 'judged', definitionHash: 'hash', createdAt: 0, tags: [] };
const run: RunView = { runId: '00-judged', status: 'succeeded', ...HEAD };
const steps: StepView[] = [
  { stepId: 'a', kind: 'task', status: 'succeeded', attempts: 2 },
  { stepId: 'b', kind: 'task', status: 'succeeded', attempts: 1, needs: ['a'] },
  { stepId: 'c', kind: 'task', status: 'skipped', attempts: 0, needs: ['a'] },
];

type Part = Omit<HistoryEvent, 'seq' | 'at'>;
const attempt = (type: HistoryEvent['type'], stepId: string, fence: number): Part => ({
  type,
  stepId,
  fence,
  attemptId: `attempt-${fence}`,
});
const good: readonly Part[] = [
  { type: 'run-created' },
  attempt('attempt-started', 'a', 1),
  attempt('attempt-failed', 'a', 1),
  attempt('attempt-started', 'a', 5),
  attempt('checkpoint-saved', 'a', 5),
  attempt('attempt-succeeded', 'a', 5),
  { type: 'step-succeeded', stepId: 'a' },
  { type: 'step-skipped', stepId: 'c' },
  attempt('attempt-started', 'b', 7),
  attempt('attempt-lost', 'b', 7),
  attempt('attempt-started', 'b', 9),
  attempt('attempt-succeeded', 'b', 9),
  { type: 'step-succeeded', stepId: 'b' },
  { type: 'run-succeeded' },
  attempt('attempt-rejected', 'b', 7),
];

function eventsOf(parts: readonly Part[]): HistoryEvent[] {
  return parts.map((part, seq) => ({ ...part, seq, at: seq * 10 }));
}

const judge = (events: readonly HistoryEvent[], view = run) =>
  findViolations({ run: view, steps, events }, { maxAttempts: 1 });
const without = (...dropped: number[]) => good.filter((_, index) => !dropped.includes(index));
const replaced = (index: number, part: Partial<Part>) => good.with(index, { ...good[index]!, ...part });
const twice = (index: number) => good.toSpliced(index, 0, good[index]!);

/** A second failure of `a` before it succeeds. */
const failedTwice = good.toSpliced(3, 0, attempt('attempt-started', 'a', 3), attempt('attempt-failed', 'a', 3));

describe('the judge of histories', () => {
  test('finds nothing wrong with a good one', () => {
    expect(judge(eventsOf(good))).toEqual([]);
  });

  test.each([
    ['V1', 'an event is missing', eventsOf(good).toSpliced(4, 1)],
    ['V1', 'time goes back', eventsOf(good).with(5, { ...eventsOf(good)[5]!, at: 3 })],
    ['V1', 'its beginning is missing', eventsOf(without(0))],
    ['V2', 'it has no end', eventsOf(without(13))],
    ['V2', 'it ends twice', eventsOf(twice(13))],
    ['V2', 'it ends in another way than the run', eventsOf(replaced(13, { type: 'run-failed' }))],
    ['V2', 'something follows its end', eventsOf([...good, { type: 'step-ready', stepId: 'c' }])],
    ['V3', 'a step is committed twice', eventsOf(twice(12))],
    ['V3', 'a step is never committed', eventsOf(without(12))],
    ['V4', 'a commit has no start', eventsOf(without(8, 9, 10))],
    ['V5', 'a fence goes back', eventsOf(replaced(10, { fence: 3 }))],
    ['V5', 'a fence stays', eventsOf(good.with(10, attempt('attempt-started', 'b', 7)))],
    ['V5', 'an old attempt commits', eventsOf(replaced(11, { fence: 7, attemptId: 'attempt-7' }))],
    ['V5', 'another attempt id commits', eventsOf(replaced(11, { attemptId: 'somebody-else' }))],
    ['V5', 'an old attempt saves', eventsOf(replaced(4, { fence: 1, attemptId: 'attempt-1' }))],
    ['V6', 'a step starts before its need', eventsOf(good.toSpliced(6, 1).toSpliced(8, 0, good[6]!))],
    ['V7', 'an attempt never ends', eventsOf(without(9))],
    ['V7', 'an attempt ends twice', eventsOf(twice(2))],
    ['V7', 'more failures are charged than allowed', eventsOf(failedTwice)],
  ])('names %s when %s', (invariant, _, events) => {
    expect(judge(events).map((violation) => violation.replace('00-judged: ', '').slice(0, 2))).toContain(invariant);
  });

  test('lets an item fail that its map tolerates, and no step', () => {
    const failing = (stepId: string) => [...steps, { stepId, kind: 'task', status: 'failed' as const, attempts: 1 }];
    expect(findViolations({ run, steps: failing('b[0]'), events: eventsOf(good) })).toEqual([]);
    expect(findViolations({ run, steps: failing('d'), events: eventsOf(good) })).toEqual([
      expect.stringContaining('V3'),
    ]);
  });

  test('lets a step with join any start when one of its needs has succeeded', () => {
    const eager = eventsOf(good);
    const joined = steps.with(1, { ...steps[1]!, needs: ['a', 'c', 'd'] });
    const record = { run, steps: joined, events: eager };
    expect(findViolations(record).every((violation) => violation.includes('V6'))).toBe(true);
    expect(findViolations(record)).toHaveLength(2);
    expect(findViolations(record, { joinsAny: new Set(['b']) })).toEqual([]);
  });
});
