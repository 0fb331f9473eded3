import { chanceOf, countTreated, mixedGraph, treat } from '@flotilla/chaos';
import { describe, expect, test } from '@jest/globals';
import { goodRecording } from '../checker/good-recording.ts';

const graphOf = (index: number) => mixedGraph(chanceOf(index));

describe('the treatment of runs', () => {
  test('is the same for the same number and chance', () => {
    const plan = () => Array.from({ length: 40 }, (_, index) => treat(index, 'load', graphOf(index), chanceOf(index)));
    expect(plan()).toEqual(plan());
  });

  test('gives no run two treatments, and changes neither input nor output', () => {
    for (let index = 0; index < 40; index += 1) {
      const graph = graphOf(index);
      const { graph: treated, idempotencyKey, cancelAfterMs } = treat(index, 'load', graph, chanceOf(index));
      const given = [idempotencyKey !== undefined, cancelAfterMs !== undefined, 'saves' in treated.definition.steps];
      expect(given.filter(Boolean).length).toBeLessThanOrEqual(1);
      expect(treated).toMatchObject({ shape: graph.shape, input: graph.input, output: graph.output });
      expect(treated.definition.steps).toMatchObject(graph.definition.steps);
    }
  });

  test('of a step that saves progress lets it fail once, before its last page', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const { graph } = treat(7, 'load', graphOf(seed), chanceOf(seed));
      const { pages, failsAfter } = (graph.definition.steps['saves'] as { input: Record<string, number> }).input;
      expect(failsAfter).toBeGreaterThanOrEqual(1);
      expect(failsAfter).toBeLessThan(pages!);
    }
  });

  test('is counted by what came of it', () => {
    const { calls, effects, runs, ...rest } = goodRecording(chanceOf(7));
    expect(countTreated({ ...rest, calls: [], effects: [], runs: [] })).toEqual({
      keysAgain: 0,
      progressFound: 0,
      cancelled: 0,
      compensations: 0,
    });
    const cancelled = runs.filter(({ run }) => run.status === 'cancelled').length;
    const answered = { kind: 'start' as const, startAt: 0, endAt: 1 };
    const answer = { runId: 'r', status: 'pending' as const, durability: 'fast' as const, deduplicated: false };
    const twice = [1, 2].map(() => ({ ...answered, request: { idempotencyKey: 'k' }, answer }));
    const once = { ...answered, request: { idempotencyKey: 'other' }, answer };
    const unanswered = { ...answered, request: { idempotencyKey: 'other' } };
    const counted = countTreated({ ...rest, calls: [...twice, once, unanswered], effects, runs });
    expect(counted).toMatchObject({ keysAgain: 1, cancelled });
    expect(cancelled).toBeGreaterThan(0);
  });
});
