import type { HistoryEvent } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { emptyFold, foldEvents } from './fold-history.ts';

const AT = 1_700_000_000_000;

function history(...events: Partial<HistoryEvent>[]): HistoryEvent[] {
  return events.map((event, seq) => ({ seq, at: AT + seq * 10, type: 'run-created', ...event }));
}

const statusesOf = (events: readonly HistoryEvent[]) =>
  Object.fromEntries([...foldEvents(emptyFold(), events).steps.values()].map(({ stepId, status }) => [stepId, status]));

describe('a history folds into', () => {
  test('the status of each step, those of a group that became ready together included', () => {
    const events = history(
      { type: 'run-created' },
      { type: 'step-ready', data: { steps: ['a', 'b'], count: 2 } },
      { type: 'attempt-started', stepId: 'a', attempt: 1, attemptId: 'x' },
      { type: 'attempt-succeeded', stepId: 'a', attemptId: 'x' },
      { type: 'step-succeeded', stepId: 'a' },
      { type: 'step-parked', stepId: 'b', data: { reason: 'breaker:crm' } },
    );
    expect(statusesOf(events)).toEqual({ a: 'succeeded', b: 'parked' });
  });

  test('attempts with their errors, and the waits between them', () => {
    const events = history(
      { type: 'step-ready', stepId: 'a' },
      { type: 'attempt-started', stepId: 'a', attempt: 1, attemptId: 'x', worker: 'w-1' },
      { type: 'attempt-failed', stepId: 'a', attemptId: 'x', data: { code: 'BUSY', message: 'm' } },
      { type: 'retry-scheduled', stepId: 'a', data: { delayMs: 30 } },
      { type: 'attempt-started', stepId: 'a', attempt: 2, attemptId: 'y' },
    );
    const { attempts, waits, status } = foldEvents(emptyFold(), events).steps.get('a')!;
    expect(status).toBe('running');
    expect(attempts).toMatchObject([
      { attempt: 1, worker: 'w-1', end: 'failed', endedAt: AT + 20, error: { code: 'BUSY' } },
      { attempt: 2, end: undefined },
    ]);
    expect(waits).toMatchObject([
      { kind: 'queued', from: AT, to: AT + 10 },
      { kind: 'backing-off', from: AT + 30, to: AT + 40 },
    ]);
  });

  test('counts of the items of a map', () => {
    const events = history(
      { type: 'step-ready', stepId: 'each' },
      { type: 'attempt-started', stepId: 'each[0]', attempt: 1, attemptId: 'x' },
      { type: 'attempt-started', stepId: 'each[1]', attempt: 1, attemptId: 'y' },
      { type: 'step-succeeded', stepId: 'each[0]' },
    );
    const { items, status } = foldEvents(emptyFold(), events).steps.get('each')!;
    expect(status).toBe('running');
    expect([items?.get('succeeded'), items?.get('running'), items?.get('waiting')]).toEqual([1, 1, 0]);
  });

  test('a retried run, whose failed steps wait again while finished work stays', () => {
    const events = history(
      { type: 'step-succeeded', stepId: 'a' },
      { type: 'step-failed', stepId: 'b' },
      { type: 'step-cancelled', stepId: 'c' },
      { type: 'run-failed' },
      { type: 'run-retried', data: { opening: 2 } },
    );
    expect(statusesOf(events)).toEqual({ a: 'succeeded', b: 'waiting', c: 'waiting' });
  });

  test('a step that was lost is queued again, and no cleanup is taken for a step', () => {
    const events = history(
      { type: 'attempt-started', stepId: 'a', attempt: 1, attemptId: 'x' },
      { type: 'attempt-lost', stepId: 'a', attemptId: 'x' },
      { type: 'cleanup-started', stepId: 'b', cleanup: 0 },
    );
    expect(statusesOf(events)).toEqual({ a: 'ready' });
  });
});

test('pages that overlap, come twice or leave a gap do not change what is folded', () => {
  const events = history(
    { type: 'step-ready', stepId: 'a' },
    { type: 'attempt-started', stepId: 'a', attempt: 1, attemptId: 'x' },
    { type: 'attempt-succeeded', stepId: 'a', attemptId: 'x' },
    { type: 'step-succeeded', stepId: 'a' },
  );
  const whole = foldEvents(emptyFold(), events);
  const inPieces = emptyFold();
  foldEvents(inPieces, events.slice(0, 2));
  foldEvents(inPieces, events.slice(3));
  foldEvents(inPieces, events.slice(0, 3));
  foldEvents(inPieces, events.slice(2));
  expect(inPieces.steps).toEqual(whole.steps);
  expect(inPieces.seq).toBe(3);
});
