import { type CheckpointView, type HistoryEvent, newestProgressNumber } from '@flotilla/contracts';

export interface CheckpointProblem {
  stepId: string;
  /** Which of the step's checkpoints. */
  kind: CheckpointView['kind'];
  seq: number;
  problem: string;
}

/**
 * What is wrong with a run's checkpoints: those that do not prove themselves, and steps whose newest progress is not the one
 * that the history counts up to, as when a whole older state was put back. What was set aside before is not used and no
 * problem any more. `before` is the history as it was before the checkpoints were read, `meanwhile` what has come to it since:
 * of a step that is saving just then the newest may be any that was counted in that time.
 */
export function findCheckpointProblems(
  checkpoints: readonly CheckpointView[],
  before: readonly HistoryEvent[],
  meanwhile: readonly HistoryEvent[] = [],
): CheckpointProblem[] {
  const problems: CheckpointProblem[] = [];
  for (const { stepId, kind, seq, verified, problem = 'is not verified' } of checkpoints) {
    if (!verified && kind !== 'set-aside') problems.push({ stepId, kind, seq, problem });
  }
  const stepIds = new Set([...before, ...meanwhile].flatMap(({ stepId }) => (stepId === undefined ? [] : [stepId])));
  const earlier = byStep(before);
  const later = byStep(meanwhile);
  for (const stepId of stepIds) {
    const counts = countsWhileRead(earlier.get(stepId) ?? [], later.get(stepId) ?? []);
    const counted = counts.at(-1)!;
    const kept = checkpoints.filter((checkpoint) => checkpoint.stepId === stepId && checkpoint.kind === 'progress');
    const newest = Math.max(0, ...kept.map(({ seq }) => seq));
    const isTold = problems.some((known) => known.stepId === stepId && known.kind === 'progress');
    if (counts.includes(newest) || isTold) continue;
    const problem = `the history counts ${counted} saved, the newest that is kept is number ${newest}`;
    problems.push({ stepId, kind: 'progress', seq: newest, problem });
  }
  return problems;
}

function byStep(events: readonly HistoryEvent[]): Map<string | undefined, HistoryEvent[]> {
  return Map.groupBy(events, ({ stepId }) => stepId);
}

/** The number of the newest progress by the history, each that it had while the checkpoints were read; never empty. */
function countsWhileRead(earlier: readonly HistoryEvent[], later: readonly HistoryEvent[]): number[] {
  return Array.from({ length: later.length + 1 }, (_, length) =>
    newestProgressNumber([...earlier, ...later.slice(0, length)]),
  );
}
