import type { AttemptOutcome } from '@flotilla/agents';
import { DEFAULT_FLAGS, isFlotillaError, type Json, type StepError } from '@flotilla/contracts';
import { assertHandoff, countsAgainstAgent, failureOfStep, isOnForRun } from '@flotilla/engine';
import type { ClaimedAttempt, StoredCheckpoint } from '@flotilla/state';
import { LOG_EVENTS } from '@flotilla/telemetry';
import { AttemptControl } from '../attempt-control.ts';
import type { AttemptRuntime } from '../attempt-runtime.ts';
import type { Assignment, Chain } from '../chain.ts';
import { continuationOf, edgesOfSuccess } from '../continuation.ts';
import { retryUntilAnswered } from '../retry-until-answered.ts';
import { AttemptContext } from '../step-context.ts';
import { Attempt, type CallResult, type FailedCall, type NextAttempt, type SettledAttempt } from './attempt.ts';
import type { Failure } from './failure.ts';
import { owningNext } from './owning-next.ts';
import { resolveStepInput, spreadKeyOf } from './step-input.ts';

/** A step, or an item of a map, that this worker has claimed. */
export interface ClaimedStep {
  chain: Chain;
  assignment: Assignment;
  attemptId: string;
  claimed: ClaimedAttempt;
}

/** One attempt of a step. */
export class StepAttempt extends Attempt {
  readonly #mayContinue: () => boolean;
  /** What it says of the agent that makes it. */
  #outcome: AttemptOutcome = 'neither';
  /** Checksum of what it has read. */
  #previous = '';

  /** `mayContinue`: whether the worker would go on with the next step when this one commits. */
  constructor(runtime: AttemptRuntime, step: ClaimedStep, mayContinue: () => boolean) {
    const { chain, assignment, claimed } = step;
    const { definition } = chain.plan;
    const address = addressOf(step);
    const control = new AttemptControl(limitsOf(step));
    const context = new AttemptContext(runtime.options, { definition, assignment, address, claimed, control });
    super(runtime, { chain, assignment, address, claimed, control, context });
    this.#mayContinue = mayContinue;
  }

  protected override open(): void {
    super.open();
    this.runtime.options.meter?.began(this.address.attemptId, this.assignment.work.use);
  }

  protected override async close(): Promise<void> {
    const { runId, attemptId } = this.address;
    this.runtime.options.meter?.ended(attemptId, this.#outcome, `${runId}/${this.assignment.stepId}`);
    await super.close();
  }

  protected override async resolveInput(): Promise<Json> {
    try {
      const { input, previous } = await resolveStepInput(this.chain, this.assignment, this.claimed);
      this.#previous = previous;
      this.spreadKey = spreadKeyOf(this.assignment, input);
      return input;
    } catch (error) {
      if (isFlotillaError(error) && error.code === 'DATA_CORRUPTION') {
        const data = JSON.stringify({ code: error.code, message: error.message });
        await this.runtime.options.state.transitions.reportCorruption(this.address, data);
      }
      throw error;
    }
  }

  /** Of a handoff: whom a turn hands over to is looked at while it can still be made again. */
  protected override accepted(result: CallResult): CallResult {
    const turns = this.assignment.step.map?.turns;
    if (result.kind !== 'returned' || turns?.form !== 'handoff') return result;
    try {
      assertHandoff(turns, JSON.parse(this.claimed.itemJson || 'null'), JSON.parse(result.outputJson));
      return result;
    } catch (error) {
      return { kind: 'threw', error };
    }
  }

  protected override rateLimitedBefore(): Promise<number> {
    const { address, claimed, runtime } = this;
    if (claimed.failures === 0) return Promise.resolve(0);
    return retryUntilAnswered(() => runtime.options.state.readRateLimited(address, claimed.firstAt));
  }

  protected override noteFailure({ classification, thrown }: Failure): void {
    const { type, code, retryAfterMs } = classification;
    const hasBreaker = this.assignment.work.breaker !== undefined;
    if (countsAgainstAgent({ type, code, error: thrown, hasBreaker, retryAfterMs })) this.#outcome = 'failed';
    if (type === 'resource_exhausted') this.runtime.options.onExhausted?.(code);
  }

  protected override async release(reason: string): Promise<void> {
    await this.runtime.options.state.transitions.release(this.address, reason);
  }

  protected override async write({ end, result, failure }: SettledAttempt): Promise<NextAttempt | undefined> {
    if (result.kind !== 'kept-out') this.#noteDuration();
    if (end.end === 'commit' && result.kind === 'returned') return this.#commit(result.outputJson);
    if (end.end === 'release') await this.release(end.reason);
    else if (end.end === 'park') await this.#park(end.forMs);
    else if (failure !== undefined) await this.#fail(failure, end.end === 'retry' ? end.inMs : undefined);
    return undefined;
  }

  #noteDuration(): void {
    const { queue, use } = this.assignment.work;
    this.runtime.durations.note(`${queue}/${use}`, performance.now() - this.startedAt);
  }

  /** What the step needs cannot be had now: it waits, uncharged, until that may have changed. */
  async #park(forMs: number): Promise<void> {
    const reason = this.breaker?.reason ?? '';
    await this.runtime.options.state.transitions.parkAttempt(this.address, reason, forMs);
  }

  async #commit(outputJson: string): Promise<NextAttempt | undefined> {
    const { runtime, chain, assignment, address } = this;
    const { state, workerId, logger } = runtime.options;
    this.#outcome = 'succeeded';
    runtime.outcomes.noteSuccess(chain.task);
    const checkpoint = this.#checkpointOf(outputJson);
    const continuation = this.#continuation();
    const request = {
      ...address,
      ...{ worker: workerId, outputJson, checkpoint },
      hasTotalTimer: assignment.work.timeouts.totalMs !== undefined,
      endStep: assignment.step.endStep,
      compensated: this.#isCompensated(),
      channels: this.context.channelWork,
      ...continuation,
    };
    // It may have claimed the next step: whether it has only its answer tells.
    const reply = await owningNext(runtime, request.nextAttemptId, () =>
      retryUntilAnswered(() => state.transitions.commit(request)),
    );
    if (reply.outcome === 'rejected') {
      const about = { runId: address.runId, stepId: assignment.stepId, reason: reply.reason };
      logger.warn(about, 'commit refused');
      this.noteRefusal();
      return undefined;
    }
    this.context.committed();
    runtime.spreads.of(this.spreadKey).succeeded(this.redisNow());
    if (assignment.item === undefined) {
      chain.remember(assignment.step.index, { outputJson, checksum: checkpoint.checksum });
    }
    if (reply.outcome === 'committed' || request.nextAttemptId === undefined) return undefined;
    return { key: reply.key, attemptId: request.nextAttemptId, claimed: reply.attempt };
  }

  /** With what the commit goes on, if with anything. */
  #continuation() {
    const { chain, assignment } = this;
    if (this.#mayContinue()) return continuationOf(chain, assignment, this.runtime.options.abilities);
    return {
      ...{ nextAttemptId: undefined, wantsInput: false, sources: [], nextItemAttemptMs: undefined },
      edges: edgesOfSuccess(chain.plan, assignment.step.index),
    };
  }

  #checkpointOf(stateJson: string): StoredCheckpoint {
    const seq = this.context.progressSeq + 1;
    const ts = this.claimed.claimedAt + Math.round(performance.now() - this.startedAt);
    const { runId, fence } = this.address;
    const previous = this.#previous;
    const envelope = { runId, stepId: this.assignment.stepId, seq, fence, stateJson, ts, previous };
    const checksum = this.runtime.options.state.seal.checksumOf(envelope);
    return { ts, seq, checksum, previous };
  }

  #isCompensated(): boolean {
    const { flags = DEFAULT_FLAGS } = this.runtime.options;
    return this.assignment.work.compensation !== undefined && isOnForRun(flags, 'compensate', this.address.runId);
  }

  async #fail(failure: FailedCall, retryInMs: number | undefined): Promise<void> {
    const { runtime, chain, assignment, address } = this;
    const { classification, error, timedOut } = failure;
    this.#logFailure(error, retryInMs);
    runtime.outcomes.noteFailure(chain.task, classification.code);
    const reply = await runtime.options.state.transitions.fail({
      ...{ tag: address.tag, runId: address.runId, key: address.key, attempt: address },
      event: timedOut ? 'attempt-timed-out' : 'attempt-failed',
      retryInMs,
      isRateLimited: classification.type === 'rate_limited',
      ...failureOfStep(chain.plan, assignment, error),
    });
    if (reply.outcome === 'rejected') this.noteRefusal();
  }

  /** Not its message: what a handler says may hold what it was given. A storm of failures is counted. */
  #logFailure({ type, code }: StepError, retryInMs: number | undefined): void {
    const { runtime, address, assignment, claimed } = this;
    const { use } = assignment.work;
    const about = {
      ...{ runId: address.runId, stepId: assignment.stepId, attempt: claimed.failures + 1, use },
      ...this.logFields,
    };
    const next = retryInMs === undefined ? {} : { retryInMs };
    const event = LOG_EVENTS.attemptFailed;
    runtime.failures.write(`${use} ${code}`, 'warn', { event, ...about, type, code, ...next }, 'an attempt failed');
  }
}

export function addressOf({ chain, assignment, attemptId, claimed }: ClaimedStep) {
  const { fence, createdAt } = claimed;
  return { tag: chain.tag, runId: chain.runId, key: assignment.key, fence, createdAt, attemptId };
}

function limitsOf({ assignment, claimed }: ClaimedStep) {
  const { attemptMs, heartbeatMs, totalMs } = assignment.work.timeouts;
  const totalLeftMs = totalMs === undefined ? undefined : totalMs - (claimed.claimedAt - claimed.firstAt);
  return { attemptMs, heartbeatMs, totalLeftMs };
}
