import { DEFAULT_FLAGS } from '@flotilla/contracts';
import { isOnForRun, isTooRiskyBesideOthers, mustBeAlone, stepGroupOf } from '@flotilla/engine';
import { type ClaimedAttempt, createAttemptId } from '@flotilla/state';
import { type ClaimedStep, StepAttempt } from './attempt/step-attempt.ts';
import type { AttemptRuntime } from './attempt-runtime.ts';
import { type Assignment, assignmentOf, type Chain } from './chain.ts';
import { IsolatedAttempt } from './isolation/isolated-attempt.ts';
import { retryUntilAnswered } from './retry-until-answered.ts';

/**
 * Claims a step, makes an attempt of it, and goes on with what its commit claims, for as long as `mayContinue`. Each attempt
 * is owned from before its claim until state has answered how it ended.
 */
export async function runChain(
  runtime: AttemptRuntime,
  chain: Chain,
  first: Assignment,
  mayContinue: () => boolean,
): Promise<void> {
  const { owned } = runtime;
  let attemptId = createAttemptId(chain.runId);
  owned.add(attemptId);
  try {
    const claimed = await retryUntilAnswered(() => claim(runtime, chain, first, attemptId));
    if (claimed === undefined) return;
    let step: ClaimedStep = { chain, assignment: first, attemptId, claimed };
    if (await isSuspectEnded(runtime, step)) return;
    for (;;) {
      const next = await new StepAttempt(runtime, step, mayContinue).make();
      if (next === undefined) return;
      const assignment = assignmentOf(chain.plan, next.key, runtime.options.abilities);
      if (typeof assignment === 'string') throw new Error(`continued with a step that cannot be made: ${next.key}`);
      owned.delete(attemptId);
      attemptId = next.attemptId;
      step = { chain, assignment, attemptId, claimed: next.claimed };
    }
  } finally {
    owned.delete(attemptId);
  }
}

/** A step that may be what ends workers is made in a process of its own. True when that has ended its attempt. */
async function isSuspectEnded(runtime: AttemptRuntime, step: ClaimedStep): Promise<boolean> {
  const { crashes } = step.claimed;
  if (!mustBeAlone(crashes)) return false;
  const { runIsolated, flags = DEFAULT_FLAGS } = runtime.options;
  const isolated = new IsolatedAttempt(runtime, step);
  if (runIsolated !== undefined && isOnForRun(flags, 'isolate-suspects', step.chain.runId)) {
    if (await isolated.make(runIsolated)) return true;
  }
  if (!isTooRiskyBesideOthers(crashes)) return false;
  await isolated.quarantineUnjudged();
  return true;
}

async function claim(
  { options }: AttemptRuntime,
  chain: Chain,
  { key, step, work }: Assignment,
  attemptId: string,
): Promise<ClaimedAttempt | undefined> {
  const reply = await options.state.transitions.claim({
    tag: chain.tag,
    runId: chain.runId,
    key,
    attemptId,
    worker: options.workerId,
    ...stepGroupOf(chain.plan, step.index),
    attemptMs: work.timeouts.attemptMs,
    wantsInput: chain.needsInput(work),
    hasQueuedTimer: work.timeouts.queuedMs !== undefined,
    sources: chain.sourcesToClaim(work),
  });
  return 'claimed' in reply ? reply.claimed : undefined;
}
