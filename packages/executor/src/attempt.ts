import type { AttemptOutcome } from '@flotilla/agents';
import { DEFAULT_FLAGS, FlotillaError, type Json, type StepError } from '@flotilla/contracts';
import {
  type Classification,
  canonicalJson,
  classifyError,
  countedEdges,
  countsAgainstAgent,
  decideRetry,
  isOnForRun,
  type RetryDecision,
  type RetryQuestion,
  runErrorOf,
} from '@flotilla/engine';
import type { AttemptAddress, ClaimedAttempt, CommitReply, StoredCheckpoint } from '@flotilla/state';
import { LOG_EVENTS } from '@flotilla/telemetry';
import { AttemptAborted, AttemptControl } from './attempt-control.ts';
import { BehindBreaker } from './behind-breaker.ts';
import type { Assignment, Chain } from './chain.ts';
import { continuationOf, edgesOfSuccess } from './continuation.ts';
import { describeStack } from './error-stack.ts';
import type { Executor, LiveAttempt } from './executor.ts';
import { readSecret } from './read-secret.ts';
import { type HandlerEnd, runHandler } from './run-handler.ts';
import { AttemptContext } from './step-context.ts';
import { isRedisTrouble, untilAnswered } from './until-answered.ts';

export interface NextAttempt {
  key: string;
  attemptId: string;
  claimed: ClaimedAttempt;
}

/** One attempt as it goes through its stages. */
interface Attempt {
  executor: Executor;
  chain: Chain;
  assignment: Assignment;
  address: AttemptAddress;
  claimed: ClaimedAttempt;
  control: AttemptControl;
  context: AttemptContext;
  /** Monotonic time of the claim. */
  startedAt: number;
  previous: string;
  /** What it says of the agent that makes it. */
  outcome: AttemptOutcome;
  /** What it shares with others that may fail with it: see `spreadKeyOf`. */
  spreadKey: string;
  /** Of a step with a breaker. */
  breaker: BehindBreaker | undefined;
}

/**
 * The life of one claimed attempt: resolve the input, run the handler, commit or fail. Answers the attempt that was
 * claimed by the commit, if the chain goes on. Never leaves an attempt behind: this worker's lease would keep it for ever.
 */
export async function makeAttempt(
  executor: Executor,
  chain: Chain,
  assignment: Assignment,
  attemptId: string,
  claimed: ClaimedAttempt,
  mayContinue: () => boolean,
  live: Set<LiveAttempt>,
): Promise<NextAttempt | undefined> {
  const { timeouts } = assignment.work;
  const { totalMs } = timeouts;
  const control = new AttemptControl({
    attemptMs: timeouts.attemptMs,
    heartbeatMs: timeouts.heartbeatMs,
    totalLeftMs: totalMs === undefined ? undefined : totalMs - (claimed.claimedAt - claimed.firstAt),
  });
  const address: AttemptAddress = {
    tag: chain.tag,
    runId: chain.runId,
    key: assignment.key,
    fence: claimed.fence,
    createdAt: claimed.createdAt,
    attemptId,
  };
  const context = new AttemptContext(executor.options, assignment, address, claimed, control);
  const startedAt = performance.now();
  const breaker = breakerOf(executor, chain.runId, assignment);
  const attempt: Attempt = {
    ...{ executor, chain, assignment, address, claimed, control, context, startedAt },
    ...{ previous: '', outcome: 'neither', breaker, spreadKey: spreadKeyOf(assignment) },
  };
  const { runId, tag } = chain;
  const { stepId, key } = assignment;
  const entry: LiveAttempt = { runId, stepId, key, attemptId, tag, control, task: chain.task };
  live.add(entry);
  const { meter } = executor.options;
  meter?.began(attemptId, assignment.work.use);
  if (executor.handsBack) control.abort('drain');
  try {
    const end = await work(attempt);
    control.stop();
    if (end.kind === 'parked') {
      await park(attempt, breaker!, end.forMs);
      return undefined;
    }
    executor.durations.note(`${assignment.work.queue}/${assignment.work.use}`, performance.now() - startedAt);
    if (end.kind === 'returned' && !isTimeout(control)) {
      attempt.outcome = 'succeeded';
      executor.noteEnd(chain.task);
      // Not waited for: it never rejects, and the result is what matters.
      void breaker?.settle('success');
      return await commit(attempt, end, mayContinue);
    }
    if (control.cause === 'cancelled' || control.cause === 'drain' || control.cause === 'superseded') {
      void breaker?.settle('ignored');
      // Told apart for the receipt: the attempt is over, what its handler does outside is not.
      const goesOn = control.cause === 'cancelled' && end.kind === 'abandoned';
      await executor.options.state.transitions.release(address, goesOn ? 'abandoned' : control.cause);
      return undefined;
    }
    await fail(attempt, end);
    return undefined;
  } catch (error) {
    control.stop();
    void breaker?.settle('ignored');
    await endTroubled(attempt, error);
    return undefined;
  } finally {
    control.stop();
    live.delete(entry);
    meter?.ended(attemptId, attempt.outcome, `${runId}/${stepId}`);
    await context.cleanUp();
  }
}

/** The breaker that the calls of a step, and of what undoes it, stand behind; undefined when there is none. */
export function breakerOf(
  { options }: Executor,
  runId: string,
  { work: { breaker } }: Assignment,
): BehindBreaker | undefined {
  const { breakers, flags = DEFAULT_FLAGS } = options;
  if (breaker === undefined || breakers === undefined || !isOnForRun(flags, 'breakers', runId)) return undefined;
  return new BehindBreaker(breakers, breaker);
}

/** What the step needs cannot be had now: it waits, uncharged, until that may have changed. */
async function park({ executor, address }: Attempt, { reason }: BehindBreaker, parkMs: number): Promise<void> {
  await executor.options.state.transitions.parkAttempt(address, reason, parkMs);
}

const TROUBLE_PAUSE_MS = 1000;

/**
 * Something other than the handler went wrong. Redis out of reach is nobody's failure: the step goes back uncharged. What
 * else it may be would come again, so it counts as a failed attempt. Tries until state has answered.
 */
async function endTroubled(attempt: Attempt, error: unknown): Promise<void> {
  const { executor, address, assignment } = attempt;
  const { logger, state } = executor.options;
  let release = isRedisTrouble(error);
  logger.error({ error, runId: address.runId, stepId: assignment.stepId }, 'an attempt could not be ended in order');
  for (;;) {
    try {
      if (release) await state.transitions.release(address, 'worker-trouble');
      else await fail(attempt, { kind: 'threw', error });
      return;
    } catch (again) {
      if (!isRedisTrouble(again)) release = true;
      await new Promise((resolve) => setTimeout(resolve, TROUBLE_PAUSE_MS).unref());
    }
  }
}

async function work(attempt: Attempt): Promise<HandlerEnd | { kind: 'parked'; forMs: number }> {
  const { executor, chain, assignment, address, claimed, control, context, breaker } = attempt;
  let input: Json;
  try {
    const secrets = new Set<string>();
    const resolved = await chain.resolveInput(assignment, claimed, (name) => {
      const secret = readSecret(name);
      secrets.add(secret);
      return secret;
    });
    input = withSecrets(withRequestTimeout(resolved.input, assignment.work.requestTimeoutMs), secrets);
    attempt.previous = resolved.previous;
    attempt.spreadKey = spreadKeyOf(assignment, input);
  } catch (error) {
    if (isRedisTrouble(error)) throw error;
    if (error instanceof FlotillaError && error.code === 'DATA_CORRUPTION') {
      const data = JSON.stringify({ code: error.code, message: error.message });
      await executor.options.state.transitions.reportCorruption(address, data);
    }
    return { kind: 'threw', error };
  }
  if (breaker !== undefined) {
    // Right before the call: a breaker may open at any moment.
    const forMs = await breaker.enter(address, claimed.failures + claimed.crashes === 0);
    if (forMs !== undefined) return { kind: 'parked', forMs };
  }
  return runHandler(assignment.handler, input, context, control, executor.options.outputLimits);
}

/** Attempts are spread together that fail together: behind one breaker, at one origin of http requests, else in one handler. */
export function spreadKeyOf({ work }: Assignment, input?: Json): string {
  if (work.breaker !== undefined) return `breaker ${work.breaker}`;
  if (work.request === undefined || typeof input !== 'object' || input === null || Array.isArray(input))
    return work.use;
  const { url } = input;
  return `${work.use} ${(typeof url === 'string' && URL.parse(url)?.origin) || ''}`;
}

/** The handler of http steps has a limit of its own for a request: what the author allows an attempt takes its place. */
function withRequestTimeout(input: Json, timeoutMs: number | undefined): Json {
  if (timeoutMs === undefined || typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return { ...input, timeoutMs };
}

/** The handler of http steps must know what may not come out of it. */
function withSecrets(input: Json, secrets: ReadonlySet<string>): Json {
  if (secrets.size === 0 || typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return { ...input, secrets: [...secrets] };
}

export function isTimeout({ cause }: AttemptControl): boolean {
  return cause === 'attempt-time' || cause === 'total-time' || cause === 'heartbeat';
}

async function commit(
  attempt: Attempt,
  end: Extract<HandlerEnd, { kind: 'returned' }>,
  mayContinue: () => boolean,
): Promise<NextAttempt | undefined> {
  const { executor, chain, assignment, address, context } = attempt;
  const checkpoint = checkpointOf(attempt, end.outputJson, context.progressSeq + 1);
  const goesOn = mayContinue();
  const continuation = goesOn ? continuationOf(chain, assignment, executor.options.abilities) : undefined;
  const request = {
    ...address,
    worker: executor.options.workerId,
    outputJson: end.outputJson,
    checkpoint,
    hasTotalTimer: assignment.work.timeouts.totalMs !== undefined,
    endStep: assignment.step.endStep,
    compensated: isCompensated(attempt),
    nextAttemptId: continuation?.nextAttemptId,
    wantsInput: continuation?.wantsInput ?? false,
    sources: continuation?.sources ?? [],
    nextItemAttemptMs: continuation?.nextItemAttemptMs,
    edges: continuation?.edges ?? edgesOfSuccess(chain.plan, assignment.step.index),
  };
  // It may have claimed the next step: whether it has only its answer tells.
  const reply = await holdingNext(executor, request.nextAttemptId, () =>
    untilAnswered(() => executor.options.state.transitions.commit(request)),
  );
  if (reply.outcome === 'rejected') {
    executor.options.logger.warn(
      { runId: address.runId, stepId: assignment.stepId, reason: reply.reason },
      'commit refused',
    );
    return undefined;
  }
  executor.retrySpreadOf(attempt.spreadKey).succeeded(redisNow(attempt));
  if (assignment.item === undefined) {
    chain.remember(assignment.step.index, { outputJson: end.outputJson, checksum: checkpoint.checksum });
  }
  if (reply.outcome === 'committed') return undefined;
  return { key: reply.key, attemptId: continuation!.nextAttemptId!, claimed: reply.attempt };
}

/** The attempt that a commit may claim is held while it does, and from then on if it did. */
async function holdingNext(
  executor: Executor,
  attemptId: string | undefined,
  send: () => Promise<CommitReply>,
): Promise<CommitReply> {
  if (attemptId === undefined) return send();
  executor.held.add(attemptId);
  let reply: CommitReply | undefined;
  try {
    reply = await send();
    return reply;
  } finally {
    if (reply?.outcome !== 'continued') executor.held.delete(attemptId);
  }
}

function checkpointOf(
  { executor, address, assignment, claimed, startedAt, previous }: Attempt,
  stateJson: string,
  seq: number,
): StoredCheckpoint {
  const ts = claimed.claimedAt + Math.round(performance.now() - startedAt);
  const { runId, fence } = address;
  const envelope = { runId, stepId: assignment.stepId, seq, fence, stateJson, ts, previous };
  const checksum = executor.options.state.seal.checksumOf(envelope);
  return { ts, seq, checksum, previous };
}

async function fail(attempt: Attempt, end: HandlerEnd): Promise<void> {
  const { executor, chain, assignment, address, control, breaker } = attempt;
  const { options } = executor;
  const { step, work: stepWork } = assignment;
  const timedOut = isTimeout(control);
  const classification = timedOut ? timeoutOf(control) : classify(end, attempt);
  const { type, code } = classification;
  const hasBreaker = stepWork.breaker !== undefined;
  const thrown = end.kind === 'threw' ? end.error : undefined;
  if (countsAgainstAgent({ type, code, error: thrown, hasBreaker, retryAfterMs: classification.retryAfterMs }))
    attempt.outcome = 'failed';
  if (classification.type === 'resource_exhausted') options.onExhausted?.(classification.code);
  const parkMs = await breaker?.settleFailure(classification);
  if (parkMs !== undefined && control.cause !== 'total-time') {
    await park(attempt, breaker!, parkMs);
    return;
  }
  const decision = await decide(attempt, classification);
  const retryInMs =
    decision.action === 'retry' ? spread(attempt, classification, decision.delayMs, elapsedMsOf(attempt)) : undefined;
  const error = errorOf(classification, thrown);
  logFailure(attempt, error, retryInMs);
  executor.noteEnd(chain.task, code);
  const isItem = assignment.item !== undefined;
  await options.state.transitions.fail({
    tag: chain.tag,
    runId: chain.runId,
    key: assignment.key,
    attempt: address,
    event: timedOut ? 'attempt-timed-out' : 'attempt-failed',
    errorJson: canonicalJson(error),
    handler: stepWork.use,
    retryInMs,
    isRateLimited: classification.type === 'rate_limited',
    failFast: chain.plan.failFast,
    tolerated: step.tolerated,
    endStep: step.endStep,
    hasTotalTimer: stepWork.timeouts.totalMs !== undefined,
    parentKey: assignment.parentKey,
    runErrorJson: canonicalJson(runErrorOf(step, assignment.item, error)),
    edges: countedEdges(chain.plan, step.index, 'failed'),
    ...(isItem ? { successEdges: edgesOfSuccess(chain.plan, step.index) } : {}),
  });
}

/** What is stored of a failure. */
export function errorOf({ type, code, message }: Classification, thrown: unknown): StepError {
  const stack = describeStack(thrown);
  return { type, code, message, ...(stack === undefined ? {} : { stack }) };
}

/** Not its message: what a handler says may hold what it was given. A storm of failures is counted. */
function logFailure({ executor, address, assignment, claimed }: Attempt, error: StepError, retryInMs?: number): void {
  const { type, code } = error;
  const { use } = assignment.work;
  const about = { runId: address.runId, stepId: assignment.stepId, attempt: claimed.failures + 1, use };
  const next = retryInMs === undefined ? {} : { retryInMs };
  const event = LOG_EVENTS.attemptFailed;
  executor.failures.write(`${use} ${code}`, 'warn', { event, ...about, type, code, ...next }, 'an attempt failed');
}

function isCompensated({ executor, assignment, address }: Attempt): boolean {
  const { flags = DEFAULT_FLAGS } = executor.options;
  return assignment.work.compensation !== undefined && isOnForRun(flags, 'compensate', address.runId);
}

/** What the decision about its end needs of an attempt, of a step or of a cleanup. */
type EndedAttempt = Pick<
  Attempt,
  'executor' | 'assignment' | 'address' | 'claimed' | 'control' | 'startedAt' | 'spreadKey'
>;

/** Milliseconds until the next attempt: what was decided, or more when too many would come back at once. */
export function spread(
  attempt: EndedAttempt,
  { retryAfterMs }: Classification,
  delayMs: number,
  elapsedMs: number,
): number {
  const { executor, assignment } = attempt;
  const { flags = DEFAULT_FLAGS } = executor.options;
  if (!isOnForRun(flags, 'spread-retries', attempt.address.runId)) return Math.round(delayMs);
  return Math.round(
    executor.retrySpreadOf(attempt.spreadKey).place({
      step: `${attempt.address.runId}/${attempt.address.key}`,
      nowMs: redisNow(attempt),
      delayMs,
      atMostMs: assignment.work.retry.maxElapsedMs - elapsedMs,
      asked: retryAfterMs !== undefined,
      random: executor.options.random ?? Math.random,
    }),
  );
}

/** Redis' clock, by which all waits are kept. */
function redisNow({ claimed, startedAt }: EndedAttempt): number {
  return claimed.claimedAt + (performance.now() - startedAt);
}

/** Milliseconds since the first attempt of the step started. */
function elapsedMsOf({ claimed, startedAt }: Attempt): number {
  return claimed.claimedAt - claimed.firstAt + (performance.now() - startedAt);
}

/** Attempts of the step before this one that a rate limit has ended. */
async function rateLimitedBefore({ executor, address, claimed }: Attempt): Promise<number> {
  if (claimed.failures === 0) return 0;
  return untilAnswered(() => executor.options.state.readRateLimited(address, claimed.firstAt));
}

async function decide(attempt: Attempt, classification: Classification): Promise<RetryDecision> {
  const { executor, assignment, claimed, control, breaker } = attempt;
  if (control.cause === 'total-time') return { action: 'fail', reason: 'time-exhausted' };
  const question: RetryQuestion = {
    classification,
    policy: assignment.work.retry,
    failures: claimed.failures + 1,
    rateLimited: await rateLimitedBefore(attempt),
    elapsedMs: elapsedMsOf(attempt),
    random: (executor.options.random ?? Math.random)(),
    cancelled: false,
  };
  const decision = decideRetry(question);
  if (breaker === undefined || decision.action === 'fail') return decision;
  return decideRetry({ ...question, budgetDelayMs: await breaker.budgetDelayMs() });
}

export function timeoutOf({ signal }: AttemptControl): Classification {
  const message = signal.reason instanceof AttemptAborted ? signal.reason.message : 'the attempt timed out';
  return { type: 'timeout', code: 'TIMEOUT', message };
}

export function classify(end: HandlerEnd, attempt: EndedAttempt): Classification {
  if (end.kind === 'abandoned')
    return { type: 'timeout', code: 'TIMEOUT', message: 'the handler did not end after its abort' };
  if (end.kind === 'returned')
    return { type: 'timeout', code: 'TIMEOUT', message: 'the handler returned after its time limit' };
  const { classifyRules = [] } = attempt.executor.options;
  const isOwnAbort = attempt.control.cause !== undefined;
  return classifyError(end.error, { rules: classifyRules, nowMs: redisNow(attempt), isOwnAbort });
}
