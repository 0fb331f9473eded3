import type { StepError } from '@flotilla/contracts';
import { type CleanupWork, canonicalJson, cleanupWorkOf, decideEnd, type Plan } from '@flotilla/engine';
import { parseStepKey, type State } from '@flotilla/state';
import { LOG_EVENTS, type Logger } from '@flotilla/telemetry';
import { endingOfOverdue, type OverdueAttempt } from './overdue-attempt.ts';
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

export interface CleanupDependencies {
  state: State<Plan>;
  logger: Logger;
}

/** What workers need to know to take a cleanup; one of which nothing is known has failed. */
export async function cleanupToDispatch(
  { state, logger }: CleanupDependencies,
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
  await failCleanup({ state, logger }, ready, error);
  return undefined;
}

/** Ends a cleanup for good, whoever makes it. */
async function failCleanup(
  { state, logger }: CleanupDependencies,
  { runId, key }: { runId: string; key: string },
  error: StepError,
): Promise<void> {
  const address = { tag: state.tagOf(runId), runId, key };
  await state.transitions.endCleanup(address, { becomes: 'failed', dataJson: canonicalJson(error) });
  logFailure(logger, { runId, key }, error);
}

/** As workers do it. */
function logFailure(logger: Logger, { runId, key }: { runId: string; key: string }, { type, code }: StepError): void {
  const { cleanup } = parseStepKey(key);
  logger.error({ event: LOG_EVENTS.cleanupFailed, runId, cleanup, type, code }, 'a cleanup failed permanently');
}

/** The time of a cleanup is over. */
export async function timeOutCleanup(
  { state, logger }: CleanupDependencies,
  plan: Plan,
  cleanup: { runId: string; key: string },
): Promise<void> {
  const work = await readCleanupWork(state, plan, cleanup);
  const message = `the cleanup did not end within ${work?.timeouts.totalMs} ms (totalMs)`;
  await failCleanup({ state, logger }, cleanup, { type: 'timeout', code: 'TIMEOUT', message });
}

/** An attempt of a cleanup that its worker did not end in time, or that was lost too often. */
export async function endOverdueCleanup(
  { state, logger }: CleanupDependencies,
  plan: Plan,
  attempt: { runId: string; key: string; fence: number; createdAt: number; attemptId: string },
  { error, overdue }: { error: StepError; overdue: OverdueAttempt },
): Promise<void> {
  const { runId, key, fence, createdAt, attemptId } = attempt;
  const work = await readCleanupWork(state, plan, attempt);
  const decision = await decideEnd(endingOfOverdue(overdue, work?.retry));
  const isRetried = decision.end === 'retry';
  await state.transitions.endCleanup(
    { tag: state.tagOf(runId), runId, key },
    {
      attempt: { fence, createdAt, attemptId },
      becomes: isRetried ? 'retried' : 'failed',
      dataJson: canonicalJson(error),
      ...(isRetried && { retryInMs: decision.inMs }),
    },
  );
  if (!isRetried) logFailure(logger, { runId, key }, error);
}
