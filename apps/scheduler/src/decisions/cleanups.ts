import type { StepError } from '@flotilla/contracts';
import { type CleanupWork, canonicalJson, cleanupWorkOf, decideRetry, type Plan } from '@flotilla/engine';
import { parseStepKey, type State } from '@flotilla/state';
import type { ReadyStep, StepToDispatch } from './start-step.ts';

/** True of the key of a compensation or registered cleanup. */
export function isCleanup(key: string): boolean {
  return parseStepKey(key).cleanup !== undefined;
}

/** What a cleanup takes; undefined when nothing is known of it. */
export async function readCleanupWork(
  state: State<Plan>,
  plan: Plan,
  { runId, key }: { runId: string; key: string },
): Promise<CleanupWork | undefined> {
  const { step, cleanup } = parseStepKey(key);
  const stored = await state.readCleanup(runId, cleanup!);
  return stored === undefined ? undefined : cleanupWorkOf(plan.steps[step], stored.registered?.use);
}

/** What workers need to know to take a cleanup; one of which nothing is known has failed. */
export async function cleanupToDispatch(
  state: State<Plan>,
  plan: Plan,
  ready: ReadyStep,
): Promise<StepToDispatch | undefined> {
  const work = await readCleanupWork(state, plan, ready);
  if (work !== undefined) {
    const { queue, use, timeouts, breaker } = work;
    return {
      ...ready,
      queue,
      use,
      label: `${plan.definition.name}/${plan.steps[parseStepKey(ready.key).step]?.id ?? ''} cleanup`,
      queuedMs: undefined,
      totalMs: timeouts.totalMs,
      breaker,
      group: undefined,
    };
  }
  const error = { type: 'non_retryable', code: 'DATA_CORRUPTION', message: 'what was registered cannot be read' };
  await failCleanup(state, ready, error);
  return undefined;
}

/** Ends a cleanup for good, whoever makes it. */
async function failCleanup(
  state: State<Plan>,
  { runId, key }: { runId: string; key: string },
  error: StepError,
): Promise<void> {
  const address = { tag: state.tagOf(runId), runId, key };
  await state.transitions.endCleanup(address, { becomes: 'failed', dataJson: canonicalJson(error) });
}

/** The time of a cleanup is over. */
export async function timeOutCleanup(
  state: State<Plan>,
  plan: Plan,
  cleanup: { runId: string; key: string },
): Promise<void> {
  const work = await readCleanupWork(state, plan, cleanup);
  const message = `the cleanup did not end within ${work?.timeouts.totalMs} ms (totalMs)`;
  await failCleanup(state, cleanup, { type: 'timeout', code: 'TIMEOUT', message });
}

/** An attempt of a cleanup that its worker did not end in time, or that was lost too often. */
export async function endOverdueCleanup(
  state: State<Plan>,
  plan: Plan,
  attempt: { runId: string; key: string; fence: number; createdAt: number; attemptId: string },
  error: StepError,
  { failures, elapsedMs, random }: { failures: number; elapsedMs: number; random: number },
): Promise<void> {
  const { runId, key, fence, createdAt, attemptId } = attempt;
  const work = await readCleanupWork(state, plan, attempt);
  const decision =
    work === undefined || error.type === 'crash'
      ? ({ action: 'fail' } as const)
      : decideRetry({
          classification: { type: 'timeout' },
          policy: work.retry,
          failures,
          elapsedMs,
          random,
          cancelled: false,
        });
  await state.transitions.endCleanup(
    { tag: state.tagOf(runId), runId, key },
    {
      attempt: { fence, createdAt, attemptId },
      becomes: decision.action === 'retry' ? 'retried' : 'failed',
      dataJson: canonicalJson(error),
      ...(decision.action === 'retry' && { retryInMs: Math.round(decision.delayMs) }),
    },
  );
}
