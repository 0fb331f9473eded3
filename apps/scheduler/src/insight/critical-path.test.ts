import type { HistoryEvent } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { criticalPath, type StepNeeds } from './critical-path.ts';

interface Timed extends StepNeeds {
  startedAt: number;
  endedAt: number;
}

function historyOf(steps: readonly Timed[]): HistoryEvent[] {
  const events = steps.flatMap(({ id, startedAt, endedAt }): Omit<HistoryEvent, 'seq'>[] => [
    { at: startedAt, type: 'attempt-started', stepId: id },
    { at: endedAt, type: 'step-succeeded', stepId: id },
  ]);
  return events.sort((a, b) => a.at - b.at).map((event, seq) => ({ seq, ...event }));
}

const pathOf = (steps: readonly Timed[], asOf: number) => criticalPath(historyOf(steps), steps, { createdAt: 0, asOf });

describe('the critical path', () => {
  test('goes back from the step that ended last, each time to the need that settled last', () => {
    const steps = [
      { id: 'a', needs: [], startedAt: 1, endedAt: 10 },
      { id: 'b', needs: [], startedAt: 1, endedAt: 30 },
      { id: 'c', needs: ['a', 'b'], startedAt: 35, endedAt: 50 },
      { id: 'd', needs: ['a'], startedAt: 12, endedAt: 40 },
    ];
    expect(pathOf(steps, 50)).toEqual([
      { stepId: 'b', readyAt: 0, startedAt: 1, endedAt: 30, ms: 30 },
      { stepId: 'c', readyAt: 30, startedAt: 35, endedAt: 50, ms: 20 },
    ]);
  });

  test('of a run that goes on ends with a step that is under way', () => {
    const history = historyOf([{ id: 'a', needs: [], startedAt: 1, endedAt: 10 }]);
    history.push({ seq: 2, at: 12, type: 'attempt-started', stepId: 'b' });
    const steps = [
      { id: 'a', needs: [] },
      { id: 'b', needs: ['a'] },
    ];
    expect(criticalPath(history, steps, { createdAt: 0, asOf: 100 })).toEqual([
      { stepId: 'a', readyAt: 0, startedAt: 1, endedAt: 10, ms: 10 },
      { stepId: 'b', readyAt: 10, startedAt: 12, ms: 90 },
    ]);
  });

  test('is as long as the run, and equals what longest waits computed forward give', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      let state = seed;
      const below = (limit: number) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state % limit;
      };
      const steps: Timed[] = [];
      for (let index = 0; index < 2 + below(12); index += 1) {
        const needs = steps.filter(() => below(3) === 0).map(({ id }) => id);
        const readyAt = Math.max(0, ...steps.filter(({ id }) => needs.includes(id)).map(({ endedAt }) => endedAt));
        // No two steps end at the same time: which of them decided would be a matter of taste.
        const startedAt = readyAt + below(5);
        steps.push({ id: `s${index}`, needs, startedAt, endedAt: startedAt + 1 + below(1000) * 16 + index });
      }
      // Forward: the chain behind each step, by the need that ended last.
      const chains = new Map<string, string[]>();
      for (const { id, needs } of steps) {
        const last = steps.filter((step) => needs.includes(step.id)).sort((a, b) => b.endedAt - a.endedAt)[0];
        chains.set(id, [...(last === undefined ? [] : (chains.get(last.id) ?? [])), id]);
      }
      const end = [...steps].sort((a, b) => b.endedAt - a.endedAt)[0];
      const path = pathOf(steps, end?.endedAt ?? 0);
      expect(path.map(({ stepId }) => stepId)).toEqual(chains.get(end?.id ?? ''));
      expect(path.reduce((sum, { ms }) => sum + ms, 0)).toBe(end?.endedAt);
    }
  });
});
