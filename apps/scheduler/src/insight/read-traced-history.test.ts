import type { HistoryEvent } from '@flotilla/contracts';
import { expect, test } from '@jest/globals';
import { readTracedHistory } from './read-traced-history.ts';

type Given = Partial<HistoryEvent> & Pick<HistoryEvent, 'type' | 'at'>;

const read = (given: Given[]) => {
  const events = given.map((event, seq): HistoryEvent => ({ seq, ...event }));
  const readHistory = async (_: string, { after, limit }: { after: number; limit: number }) => {
    const page = events.slice(after + 1, after + 1 + limit);
    return { events: page, next: after + page.length };
  };
  return readTracedHistory({ readHistory }, 'run-1');
};
const started = (attemptId: string, worker: string, at: number): Given => {
  return { type: 'attempt-started', at, attemptId, worker, stepId: `step-${attemptId}`, attempt: 1 };
};

test('an attempt that was lost is told with its worker and its time', async () => {
  const { untold } = await read([started('a', 'w-1', 10), { type: 'attempt-lost', at: 9000, attemptId: 'a' }]);
  expect(untold).toEqual([
    {
      ...{ stepId: 'step-a', attemptId: 'a', attempt: 1, agentId: 'w-1', isCleanup: false },
      ...{ startedAt: 10, endedAt: 9000, outcome: 'lost' },
    },
  ]);
});

test('with it goes what the same worker had ended in the 30 s before, and nothing of others', async () => {
  const { untold } = await read([
    ...[started('old', 'w-1', 0), started('mine', 'w-1', 1), started('other', 'w-2', 2), started('lost', 'w-1', 3)],
    { type: 'attempt-succeeded', at: 100, attemptId: 'old' },
    { type: 'attempt-failed', at: 50_000, attemptId: 'mine' },
    { type: 'attempt-succeeded', at: 50_000, attemptId: 'other' },
    { type: 'attempt-lost', at: 60_000, attemptId: 'lost' },
  ]);
  expect(untold.map(({ attemptId, outcome }) => [attemptId, outcome])).toEqual([
    ['mine', 'failed'],
    ['lost', 'lost'],
  ]);
});

test('of a run that was opened again only the last opening is told', async () => {
  const { untold, openedAt, events } = await read([
    started('a', 'w-1', 10),
    { type: 'run-paused', at: 11 },
    { type: 'attempt-lost', at: 20, attemptId: 'a' },
    { type: 'run-retried', at: 500 },
    { type: 'run-paused', at: 600 },
    { type: 'run-resumed', at: 700 },
  ]);
  expect({ untold, openedAt }).toEqual({ untold: [], openedAt: 500 });
  expect(events).toEqual([
    { name: 'run-paused', at: 600 },
    { name: 'run-resumed', at: 700 },
  ]);
});

test('all pages are read', async () => {
  const many = Array.from({ length: 1500 }, (_, index) => started(`a${index}`, 'w-1', index));
  const { untold } = await read([...many, { type: 'attempt-lost', at: 9000, attemptId: 'a1400' }]);
  expect(untold.map(({ attemptId }) => attemptId)).toEqual(['a1400']);
});
