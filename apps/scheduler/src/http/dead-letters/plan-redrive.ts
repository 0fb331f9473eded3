import type { RetryPlan, RunStatus } from '@flotilla/contracts';
import type { RunApi } from '../run-api.ts';

/** What a redrive of one letter would do; the same errors, and nothing is done. */
export async function planRedrive(
  api: Pick<RunApi, 'readDeadLetter' | 'planRetry'>,
  { runId, stepId, opening }: { runId: string; stepId: string; opening: number | undefined },
): Promise<{ outcome: 'matched' | 'already-redriven'; status: RunStatus; opening: number; plan?: RetryPlan }> {
  const { alreadyRetried, ...planned } = await api.planRetry(runId, { steps: [stepId], opening });
  if (alreadyRetried) return { outcome: 'already-redriven', ...planned };
  await api.readDeadLetter(runId, stepId);
  return { outcome: 'matched', ...planned };
}
