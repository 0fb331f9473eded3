import type { RunRecord } from '@flotilla/local-fleet';
import { describe, expect, test } from '@jest/globals';
import { mixedGraph, withCancellation } from './graphs/mixed-graphs.ts';
import { chanceOf } from './random.ts';
import { findWrongEnd } from './wrong-end.ts';

const graph = mixedGraph(chanceOf(7));

function ended(status: string, output: unknown, ...types: string[]) {
  const events = types.map((type, seq) => ({ type, seq, at: seq }));
  return { run: { runId: 'load-1', status, output }, events } as unknown as RunRecord;
}

describe('a run of a known graph', () => {
  test('has to succeed with the output that was predicted', () => {
    expect(findWrongEnd(ended('succeeded', graph.output), graph)).toEqual([]);
    expect(findWrongEnd(ended('succeeded', 'another'), graph)).toEqual([expect.stringMatching(/gave "another"/)]);
    expect(findWrongEnd(ended('failed', undefined), graph)).toEqual([expect.stringMatching(/is failed/)]);
  });

  test('has to succeed although it was cancelled, where nobody was to cancel it', () => {
    expect(findWrongEnd(ended('cancelled', undefined, 'cancel-requested'), graph)).toHaveLength(1);
  });

  test('that its caller cancels has to end so, where that came in time', () => {
    const cancelled = withCancellation(graph);
    expect(findWrongEnd(ended('cancelled', undefined, 'cancel-requested'), cancelled)).toEqual([]);
    expect(findWrongEnd(ended('succeeded', graph.output, 'cancel-requested'), cancelled)).toHaveLength(1);
    expect(findWrongEnd(ended('succeeded', graph.output), cancelled)).toEqual([]);
    expect(findWrongEnd(ended('succeeded', 'another'), cancelled)).toHaveLength(1);
    expect(findWrongEnd(ended('cancelled', undefined), cancelled)).toHaveLength(1);
  });
});
