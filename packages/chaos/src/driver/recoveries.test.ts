import type { RecordedRun } from '@flotilla/checker';
import { describe, expect, test } from '@jest/globals';
import { longestStall, median, recoveriesOf } from './recoveries.ts';

type EventType = RecordedRun['events'][number]['type'];

function run(...events: [at: number, type: EventType, worker?: string][]): RecordedRun {
  const history = events.map(([at, type, worker], seq) => ({
    seq,
    at,
    type,
    stepId: 'a',
    ...(worker === undefined ? {} : { worker }),
  }));
  return { run: { runId: 'r' }, steps: [], events: history } as unknown as RecordedRun;
}

const killed = { startAt: 100, endAt: 100, targets: ['w1'] };

describe('the recovery of what a fault hit', () => {
  test('counts from the fault to the next attempt of each step that its workers lost', () => {
    const lost = run([50, 'attempt-started', 'w1'], [9000, 'attempt-lost', 'w1'], [9100, 'attempt-started', 'w2']);
    const kept = run([50, 'attempt-started', 'w2'], [9000, 'attempt-lost', 'w2'], [9100, 'attempt-started', 'w1']);
    const ended = run([50, 'attempt-started', 'w1'], [90, 'attempt-succeeded'], [200, 'run-succeeded']);
    expect(recoveriesOf(killed, [lost, kept, ended], true)).toEqual([9000]);
  });

  test('counts from the end of the fault to the next event of each run that was under way', () => {
    const outage = { startAt: 100, endAt: 500, targets: ['redis'] };
    const waiting = run([50, 'run-created'], [700, 'run-succeeded']);
    const before = run([10, 'run-created'], [60, 'run-succeeded']);
    const after = run([600, 'run-created'], [900, 'run-succeeded']);
    expect(recoveriesOf(outage, [waiting, before, after], false)).toEqual([200]);
  });
});

test('the longest stall leaves out results that were refused after the end', () => {
  const stalled = run([0, 'run-created'], [400, 'run-succeeded'], [9000, 'attempt-rejected']);
  expect(longestStall([run([0, 'run-created'], [100, 'run-succeeded']), stalled])).toMatchObject({ ms: 400 });
});

test('the median is that of the middle, and none without values', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([])).toBeUndefined();
});
