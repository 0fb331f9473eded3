import { FlotillaError, type Json, type StepError } from '@flotilla/contracts';
import { type CleanupWork, canonicalJson, cleanupWorkOf, decideRetry, type Plan } from '@flotilla/engine';
import type { Task } from '@flotilla/queue';
import {
  type AttemptAddress,
  type ClaimedCleanup,
  decodeSources,
  parseStepKey,
  type StoredCleanup,
} from '@flotilla/state';
import type { Handler } from '@flotilla/steps';
import { classify, isTimeout, spread, timeoutOf } from './attempt.ts';
import { AttemptControl } from './attempt-control.ts';
import { type Assignment, Chain } from './chain.ts';
import { CleanupContext } from './cleanup-context.ts';
import { createAttemptId } from './continuation.ts';
import { type Executor, type LiveAttempt, NO_HANDLER_RETRY_MS } from './executor.ts';
import { type HandlerEnd, runHandler } from './run-handler.ts';
import { isRedisTrouble, untilAnswered } from './until-answered.ts';

interface CleanupTask {
  tag: string;
  runId: string;
  plan: Plan;
  key: string;
  task: Task;
}

/** One attempt of a cleanup. */
interface CleanupAttempt extends ClaimedCleanup {
  executor: Executor;
  task: CleanupTask;
  stored: StoredCleanup;
  work: CleanupWork;
  assignment: Assignment;
  address: AttemptAddress;
  control: AttemptControl;
  context: CleanupContext;
  /** Monotonic time of the claim. */
  startedAt: number;
}

/** What a compensation is given, as `input`. */
interface CompensationInput {
  stepId: string;
  /** What the step was given; absent when that can no longer be told. */
  input?: Json;
  /** What it has returned. */
  output: Json;
  /** Why it is undone: how the run ends, and what ended it. */
  outcome: string;
  error: Json;
}

/**
 * Claims a compensation or registered cleanup whose turn it is, runs its handler and ends the attempt. Never leaves an
 * attempt behind: this worker's lease would keep it for ever.
 */
export async function makeCleanup(executor: Executor, task: CleanupTask, live: Set<LiveAttempt>): Promise<void> {
  const { state, abilities, workerId } = executor.options;
  const { tag, runId, plan, key } = task;
  const { step: index, item, cleanup } = parseStepKey(key);
  const stored = await state.readCleanup(runId, cleanup!);
  const step = plan.steps[index];
  const work = stored === undefined ? undefined : cleanupWorkOf(step, stored.registered?.use);
  // The relay ends what nothing is known of.
  if (stored === undefined || step === undefined || work === undefined) return;
  const handler = abilities.handlers.get(work.use);
  if (handler === undefined) {
    await state.transitions.park({ tag, runId, key }, undefined, 'no-handler', NO_HANDLER_RETRY_MS);
    return;
  }
  const assignment = assignmentOf(plan, index, item, handler, work);
  const attemptId = createAttemptId();
  const { attemptMs } = work.timeouts;
  const reply = await untilAnswered(() =>
    state.transitions.claimCleanup({ tag, runId, key }, { attemptId, worker: workerId, attemptMs }),
  );
  if ('refused' in reply) return;
  const { fence, createdAt } = reply.claimed;
  const control = new AttemptControl({ attemptMs, heartbeatMs: undefined, totalLeftMs: undefined });
  const address = { tag, runId, key, fence, createdAt, attemptId };
  const context = new CleanupContext(executor.options, assignment, address, reply.claimed, control);
  context.cleanup = cleanup!;
  const startedAt = performance.now();
  const attempt = { ...reply, executor, task, stored, work, assignment, address, control, context, startedAt };
  const entry: LiveAttempt = {
    ...{ runId, stepId: assignment.stepId, key, attemptId, tag, control, task: task.task },
    isCleanup: true,
  };
  live.add(entry);
  if (executor.handsBack) control.abort('drain');
  try {
    await untilAnswered(async () => end(attempt, await endOf(attempt)));
  } finally {
    control.stop();
    live.delete(entry);
    await context.cleanUp();
  }
}

function assignmentOf(
  plan: Plan,
  index: number,
  item: number | undefined,
  handler: Handler,
  { use, queue, retry }: CleanupWork,
): Assignment {
  const step = plan.steps[index]!;
  return {
    key: item === undefined ? String(index) : `${index}.${item}`,
    stepId: item === undefined ? step.id : `${step.id}[${item}]`,
    step,
    // What restricts the step does not restrict what undoes it.
    work: { ...step.work!, use, queue, retry, toolAllowlist: undefined },
    handler,
    parentKey: item === undefined ? undefined : String(index),
    item,
  };
}

async function endOf(attempt: CleanupAttempt): Promise<HandlerEnd> {
  const { executor, assignment, context, control } = attempt;
  let input: Json;
  try {
    input = await inputOf(attempt);
  } catch (error) {
    if (isRedisTrouble(error)) throw error;
    return { kind: 'threw', error };
  }
  const end = await runHandler(assignment.handler, input, context, control, executor.options.outputLimits);
  control.stop();
  return end;
}

async function inputOf(attempt: CleanupAttempt): Promise<Json> {
  const { stored, executor, task, claimed, step, assignment, ending } = attempt;
  if (stored.registered !== undefined) return JSON.parse(stored.registered.inputJson) as Json;
  const { state, logger } = executor.options;
  const { tag, runId, plan } = task;
  const run = { client: state.client, plan, tag, runId, createdAt: claimed.createdAt, seal: state.seal };
  const sources = await decodeSources(run, [{ key: assignment.key, ...step }]);
  const [source] = sources.values();
  const given: CompensationInput = {
    stepId: assignment.stepId,
    output: source?.output ?? null,
    outcome: { c: 'cancelled', t: 'timed-out' }[ending.charAt(0)] ?? 'failed',
    error: JSON.parse(ending.slice(2) || 'null') as Json,
  };
  try {
    const chain = new Chain(state, tag, runId, plan, task.task);
    given.input = (await chain.resolveInput(assignment, claimed)).input;
  } catch (error) {
    if (!(error instanceof FlotillaError) || isRedisTrouble(error)) throw error;
    logger.warn({ error, runId, stepId: assignment.stepId }, 'a compensation is made without the input of its step');
  }
  return { ...given };
}

async function end(attempt: CleanupAttempt, handlerEnd: HandlerEnd): Promise<void> {
  const { executor, control, address, assignment, context } = attempt;
  const { state, logger } = executor.options;
  const { runId } = address;
  const change = changeOf(attempt, handlerEnd);
  const ended = await untilAnswered(() => state.transitions.endCleanup(address, { attempt: address, ...change }));
  const about = { runId, stepId: assignment.stepId, cleanup: context.cleanup };
  if (!ended) logger.warn({ ...about, cause: control.cause }, 'the end of a cleanup was refused');
  else if (change.becomes === 'failed')
    logger.error({ ...about, error: change.dataJson }, 'a cleanup has failed for good');
}

interface Change {
  becomes: 'succeeded' | 'failed' | 'retried' | 'released';
  dataJson?: string;
  retryInMs?: number;
}

function changeOf(attempt: CleanupAttempt, end: HandlerEnd): Change {
  const { executor, claimed, control, work, startedAt } = attempt;
  const { random = Math.random } = executor.options;
  const timedOut = isTimeout(control);
  if (end.kind === 'returned' && !timedOut) return { becomes: 'succeeded' };
  if (control.cause === 'drain' || control.cause === 'superseded') {
    return { becomes: 'released', dataJson: canonicalJson({ reason: control.cause }) };
  }
  const classification = timedOut ? timeoutOf(control) : classify(end, attempt);
  const error: StepError = { type: classification.type, code: classification.code, message: classification.message };
  const elapsedMs = claimed.claimedAt - claimed.firstAt + (performance.now() - startedAt);
  const decision = decideRetry({
    classification,
    policy: work.retry,
    failures: claimed.failures + 1,
    elapsedMs,
    random: random(),
    cancelled: false,
  });
  const dataJson = canonicalJson(error);
  if (decision.action === 'fail') return { becomes: 'failed', dataJson };
  return { becomes: 'retried', dataJson, retryInMs: spread(attempt, classification, decision.delayMs, elapsedMs) };
}
