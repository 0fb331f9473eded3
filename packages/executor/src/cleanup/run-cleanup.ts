import { type CleanupWork, cleanupWorkOf } from '@flotilla/engine';
import { createAttemptId, parseStepKey } from '@flotilla/state';
import type { Handler } from '@flotilla/steps';
import type { AttemptRuntime } from '../attempt-runtime.ts';
import type { Assignment, Chain } from '../chain.ts';
import { NO_HANDLER_RETRY_MS } from '../no-handler.ts';
import { retryUntilAnswered } from '../retry-until-answered.ts';
import { CleanupAttempt } from './cleanup-attempt.ts';

/** Claims a compensation or registered cleanup whose turn it is, and makes one attempt of it. */
export async function runCleanup(runtime: AttemptRuntime, chain: Chain, key: string): Promise<void> {
  const { state, abilities, workerId } = runtime.options;
  const { tag, runId, plan } = chain;
  const { step: index, cleanup: number } = parseStepKey(key);
  const stored = number === undefined ? undefined : await state.readCleanup(runId, number);
  const work = stored && cleanupWorkOf(plan.steps[index], stored.registered?.use);
  // The relay ends what nothing is known of.
  if (number === undefined || stored === undefined || work === undefined) return;
  const handler = abilities.handlers.get(work.use);
  const assignment = handler && assignmentOf(chain, key, { work, handler });
  if (assignment === undefined) {
    await state.transitions.park({ tag, runId, key }, undefined, 'no-handler', NO_HANDLER_RETRY_MS);
    return;
  }
  const attemptId = createAttemptId(runId);
  const { attemptMs } = work.timeouts;
  const reply = await retryUntilAnswered(() =>
    state.transitions.claimCleanup({ tag, runId, key }, { attemptId, worker: workerId, attemptMs }),
  );
  if ('refused' in reply) return;
  const { fence, createdAt } = reply.claimed;
  const address = { tag, runId, key, fence, createdAt, attemptId };
  const toMake = { chain, assignment, address, cleanup: reply, stored, number, attemptMs };
  await new CleanupAttempt(runtime, toMake).make();
}

/** The step, or item, as what undoes it sees it. */
function assignmentOf(
  { plan }: Chain,
  cleanupKey: string,
  { work, handler }: { work: CleanupWork; handler: Handler },
): Assignment | undefined {
  const { step: index, item } = parseStepKey(cleanupKey);
  const step = plan.steps[index];
  if (step?.work === undefined) return undefined;
  const { use, queue, retry } = work;
  return {
    key: item === undefined ? String(index) : `${index}.${item}`,
    stepId: item === undefined ? step.id : `${step.id}[${item}]`,
    step,
    // What restricts the step does not restrict what undoes it.
    work: { ...step.work, use, queue, retry, toolAllowlist: undefined },
    handler,
    parentKey: item === undefined ? undefined : String(index),
    item,
  };
}
