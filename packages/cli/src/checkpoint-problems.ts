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
 * problem any more.
 */
export function findCheckpointProblems(
  checkpoints: readonly CheckpointView[],
  events: readonly HistoryEvent[],
): CheckpointProblem[] {
  const problems: CheckpointProblem[] = [];
  for (const { stepId, kind, seq, verified, problem = 'is not verified' } of checkpoints) {
    if (!verified && kind !== 'set-aside') problems.push({ stepId, kind, seq, problem });
  }
  const byStep = Map.groupBy(
    events.filter(({ stepId }) => stepId !== undefined),
    ({ stepId }) => stepId!,
  );
  for (const [stepId, own] of byStep) {
    const counted = newestProgressNumber(own);
    const kept = checkpoints.filter((checkpoint) => checkpoint.stepId === stepId && checkpoint.kind === 'progress');
    const newest = Math.max(0, ...kept.map(({ seq }) => seq));
    const isTold = problems.some((known) => known.stepId === stepId && known.kind === 'progress');
    if (newest === counted || isTold) continue;
    const problem = `the history counts ${counted} saved, the newest that is kept is number ${newest}`;
    problems.push({ stepId, kind: 'progress', seq: newest, problem });
  }
  return problems;
}
