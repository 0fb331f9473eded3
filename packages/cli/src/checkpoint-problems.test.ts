import type { CheckpointView, HistoryEvent } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { findCheckpointProblems } from './checkpoint-problems.ts';

const checkpoint = (kind: CheckpointView['kind'], seq: number, rest: Partial<CheckpointView> = {}): CheckpointView => ({
  ...{ version: 1, runId: '00-a', stepId: 'page', fence: 1, ts: 1, previous: '', checksum: 'sum', verified: true },
  ...{ kind, seq },
  ...rest,
});
const event = (type: HistoryEvent['type'], data?: HistoryEvent['data']): HistoryEvent => ({
  ...{ seq: 0, at: 0, type, stepId: 'page' },
  ...(data === undefined ? {} : { data }),
});
const saves = (count: number) => Array.from({ length: count }, () => event('checkpoint-saved'));

describe("a run's checkpoints", () => {
  test('are good when each proves itself and the newest is the one that the history counts', () => {
    const kept = [2, 3, 4].map((seq) => checkpoint('progress', seq));
    expect(findCheckpointProblems([...kept, checkpoint('result', 5)], saves(4))).toEqual([]);
  });

  test('are told one by one when they do not prove themselves, but not what is out of use', () => {
    const bad = { verified: false, problem: 'does not match its checksum' };
    const listed = [checkpoint('set-aside', 2, bad), checkpoint('progress', 1, bad), checkpoint('result', 2, bad)];
    expect(findCheckpointProblems(listed, saves(1)).map(({ kind }) => kind)).toEqual(['progress', 'result']);
  });

  test('are not those that the history counts when an older state of them all was put back', () => {
    const [problem] = findCheckpointProblems([checkpoint('progress', 2)], saves(3));
    expect(problem).toMatchObject({ stepId: 'page', seq: 2, problem: expect.stringContaining('counts 3 saved') });
    expect(findCheckpointProblems([], saves(1))).toHaveLength(1);
  });

  test('are good while a step saves: the newest is any that the history counted while they were read', () => {
    const kept = [2, 3, 4].map((seq) => checkpoint('progress', seq));
    expect(findCheckpointProblems(kept, saves(3), saves(3))).toEqual([]);
    expect(findCheckpointProblems([checkpoint('progress', 1)], [], saves(2))).toEqual([]);
    expect(findCheckpointProblems(kept, saves(5), saves(1))).toHaveLength(1);
    expect(findCheckpointProblems(kept, saves(2), saves(1))).toHaveLength(1);
  });

  test('count on from the one that took the place of a damaged one', () => {
    const events = [...saves(3), event('checkpoint-corrupt', { usedInstead: 2 }), ...saves(1)];
    expect(findCheckpointProblems([checkpoint('progress', 3)], events)).toEqual([]);
  });
});
