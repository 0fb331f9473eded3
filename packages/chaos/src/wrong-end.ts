import type { RunRecord } from '@flotilla/local-fleet';
import type { MixedGraph } from './graphs/mixed-graphs.ts';

/**
 * What the checker cannot know: how the run was to end. One that its caller cancels ends cancelled where its history has that,
 * and as if nobody had asked where it has not; that callers were told the same is an invariant.
 */
export function findWrongEnd(
  { run, events }: Pick<RunRecord, 'run' | 'events'>,
  { shape, output, isCancelled = false }: MixedGraph,
): string[] {
  const { runId, status, error } = run;
  const expected = isCancelled && events.some(({ type }) => type === 'cancel-requested') ? 'cancelled' : 'succeeded';
  if (status !== expected) return [`${runId} (${shape}) is ${status}, not ${expected}: ${JSON.stringify(error)}`];
  if (status === 'cancelled' || run.output === output) return [];
  return [`${runId} (${shape}) gave ${JSON.stringify(run.output)}, not ${JSON.stringify(output)}`];
}
