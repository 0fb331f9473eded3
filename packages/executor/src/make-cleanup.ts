import { FlotillaError, type Json, type StepError } from '@flotilla/contracts';
import {
  type Classification,
  type CleanupWork,
  canonicalJson,
  cleanupWorkOf,
  decideRetry,
  isTooRiskyBesideOthers,
  type Plan,
  type RetryQuestion,
} from '@flotilla/engine';
import type { Task } from '@flotilla/queue';
import {
  type AttemptAddress,
  type ClaimedCleanup,
  type CleanupEnd,
  createAttemptId,
  parseStepKey,
  SourceReading,
  type StoredCleanup,
} from '@flotilla/state';
import type { Handler } from '@flotilla/steps';
import { LOG_EVENTS } from '@flotilla/telemetry';
import { breakerOf, classify, errorOf, isTimeout, spread, spreadKeyOf, timeoutOf } from './attempt.ts';
import { AttemptControl } from './attempt-control.ts';
import type { BehindBreaker } from './behind-breaker.ts';
import { type Assignment, Chain } from './chain.ts';
import { CleanupContext } from './cleanup-context.ts';
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
  /** That of its step. */
  breaker: BehindBreaker | undefined;
  spreadKey: string;
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
  const attemptId = createAttemptId(runId);
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
  const breaker = breakerOf(executor, runId, assignment);
  const spreadKey = spreadKeyOf(assignment);
  const attempt = {
    ...reply,
    executor,
    task,
    stored,
    work,
    assignment,
    address,
    control,
    context,
    breaker,
    startedAt,
    spreadKey,
  };
  const entry: LiveAttempt = {
    ...{ runId, stepId: assignment.stepId, key, attemptId, tag, control, task: task.task },
    isCleanup: true,
  };
  live.add(entry);
  if (executor.handsBack) control.abort('drain');
  try {
    await untilAnswered(async () => end(attempt, await endOf(attempt)));
  } finally {
    // Where nothing has told what became of the call. Never rejects.
    void breaker?.settle('ignored');
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

async function endOf(attempt: CleanupAttempt): Promise<HandlerEnd | Parked> {
  const { executor, assignment, context, control, claimed, breaker, address } = attempt;
  if (isTooRiskyBesideOthers(claimed.crashes)) {
    const message = `the cleanup was lost with its worker ${claimed.crashes} times`;
    return { kind: 'threw', error: new FlotillaError('CRASH_LIMIT', message) };
  }
  let input: Json;
  try {
    input = await inputOf(attempt);
  } catch (error) {
    if (isRedisTrouble(error)) throw error;
    return { kind: 'threw', error };
  }
  if (breaker !== undefined) {
    // Right before the call, as for a step.
    const forMs = await breaker.enter(address, claimed.failures + claimed.crashes === 0);
    if (forMs !== undefined) return { kind: 'parked', forMs };
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
  const reading = new SourceReading();
  const sources = await state
    .run(runId, tag)
    .sources(plan, claimed.createdAt, reading)
    .decode([{ key: assignment.key, ...step }])
    .finally(() => reading.end());
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

async function end(attempt: CleanupAttempt, handlerEnd: HandlerEnd | Parked): Promise<void> {
  const { executor, control, address, assignment, context } = attempt;
  const { state, logger } = executor.options;
  const { runId } = address;
  const { error, ...change } = await changeOf(attempt, handlerEnd);
  const cleanupEnd = { attempt: address, handler: attempt.work.use, ...change };
  const ended = await untilAnswered(() => state.transitions.endCleanup(address, cleanupEnd));
  const about = { runId, stepId: assignment.stepId, cleanup: context.cleanup };
  if (!ended) logger.warn({ ...about, cause: control.cause }, 'the end of a cleanup was refused');
  else if (change.becomes === 'retried') {
    const { type, code } = error!;
    const event = LOG_EVENTS.attemptFailed;
    executor.failures.write(
      `cleanup ${code}`,
      'warn',
      { event, ...about, type, code },
      'an attempt of a cleanup failed',
    );
  } else if (change.becomes === 'failed') {
    // Not its message: what a handler says may hold what it was given.
    logger.error(
      { event: LOG_EVENTS.cleanupFailed, ...about, type: error?.type, code: error?.code },
      'a cleanup has failed for good',
    );
  }
}

/** The call may not be made now. */
interface Parked {
  kind: 'parked';
  forMs: number;
}

type Change = Pick<CleanupEnd, 'becomes' | 'dataJson' | 'retryInMs'> & { error?: StepError };

async function changeOf(attempt: CleanupAttempt, end: HandlerEnd | Parked): Promise<Change> {
  const { control, breaker } = attempt;
  if (end.kind === 'parked') return parkedFor(attempt, end.forMs);
  const timedOut = isTimeout(control);
  if (end.kind === 'returned' && !timedOut) {
    // Not waited for, as for a step.
    void breaker?.settle('success');
    return { becomes: 'succeeded' };
  }
  if (control.cause === 'drain' || control.cause === 'superseded') {
    void breaker?.settle('ignored');
    return { becomes: 'released', dataJson: canonicalJson({ reason: control.cause }) };
  }
  const thrown = end.kind === 'threw' ? end.error : undefined;
  return changeOfFailure(attempt, timedOut ? timeoutOf(control) : classify(end, attempt), thrown);
}

function parkedFor({ breaker }: CleanupAttempt, forMs: number): Change {
  return { becomes: 'parked', dataJson: canonicalJson({ reason: breaker!.reason }), retryInMs: Math.round(forMs) };
}

async function changeOfFailure(
  attempt: CleanupAttempt,
  classification: Classification,
  thrown: unknown,
): Promise<Change> {
  const { executor, claimed, work, startedAt, breaker } = attempt;
  const parkMs = await breaker?.settleFailure(classification);
  if (parkMs !== undefined) return parkedFor(attempt, parkMs);
  const error = errorOf(classification, thrown);
  const elapsedMs = claimed.claimedAt - claimed.firstAt + (performance.now() - startedAt);
  const question: RetryQuestion = {
    classification,
    policy: work.retry,
    failures: claimed.failures + 1,
    elapsedMs,
    random: (executor.options.random ?? Math.random)(),
    cancelled: false,
  };
  let decision = decideRetry(question);
  if (breaker !== undefined && decision.action === 'retry') {
    decision = decideRetry({ ...question, budgetDelayMs: await breaker.budgetDelayMs() });
  }
  const dataJson = canonicalJson(error);
  if (decision.action === 'fail') return { becomes: 'failed', dataJson, error };
  return {
    becomes: 'retried',
    dataJson,
    error,
    retryInMs: spread(attempt, classification, decision.delayMs, elapsedMs),
  };
}
