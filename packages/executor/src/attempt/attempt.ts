import { DEFAULT_FLAGS, type Json, type StepError } from '@flotilla/contracts';
import {
  type AttemptEnd,
  decideEnd,
  type EndInputs,
  type EndingAttempt,
  isOnForRun,
  type SpreadRetry,
} from '@flotilla/engine';
import type { AttemptAddress, ClaimedAttempt } from '@flotilla/state';
import type { AttemptControl } from '../attempt-control.ts';
import type { AttemptRuntime } from '../attempt-runtime.ts';
import type { Assignment, Chain } from '../chain.ts';
import { GuardedCall } from '../guarded-call.ts';
import type { LiveAttempt } from '../live-attempts.ts';
import { isRedisOutage } from '../retry-until-answered.ts';
import { type HandlerEnd, runHandler } from '../run-handler.ts';
import type { AttemptContext } from '../step-context.ts';
import type { AttemptObservation, AttemptObserver, ObservedAttempt, ObservedEnd } from './attempt-observer.ts';
import { errorOf, type Failure, failureOf } from './failure.ts';
import { spreadKeyOf } from './step-input.ts';

/** The attempt that a commit has claimed, with which a chain goes on. */
export interface NextAttempt {
  key: string;
  attemptId: string;
  claimed: ClaimedAttempt;
}

/** What a claim makes of a step or cleanup. */
export interface AttemptParts<Context extends AttemptContext = AttemptContext> {
  chain: Chain;
  assignment: Assignment;
  address: AttemptAddress;
  claimed: ClaimedAttempt;
  control: AttemptControl;
  context: Context;
}

/** What the call of a handler came to; `kept-out`: its breaker let it not through. */
export type CallResult = HandlerEnd | { kind: 'kept-out'; forMs: number };

/** How an attempt has ended, as it is to be written. */
export interface SettledAttempt {
  end: AttemptEnd;
  result: CallResult;
  /** Of an attempt that failed. */
  failure?: FailedCall | undefined;
}

export type FailedCall = Failure & { error: StepError };

const TROUBLE_PAUSE_MS = 1000;

/**
 * The life of one claimed attempt, of a step or a cleanup: open → resolveInput → enterBreaker → runHandler → decideEnd → write →
 * close. Never leaves an attempt behind: this worker's lease would keep it for ever.
 */
export abstract class Attempt<Context extends AttemptContext = AttemptContext> {
  protected readonly runtime: AttemptRuntime;
  protected readonly chain: Chain;
  protected readonly assignment: Assignment;
  protected readonly address: AttemptAddress;
  protected readonly claimed: ClaimedAttempt;
  protected readonly control: AttemptControl;
  protected readonly context: Context;
  /** Of a step whose calls stand behind one, and of what undoes it. */
  protected readonly breaker: GuardedCall | undefined;
  /** Monotonic time of the claim. */
  protected readonly startedAt = performance.now();
  /** What it shares with others that may fail with it: see `spreadKeyOf`. */
  protected spreadKey: string;
  readonly #entry: LiveAttempt;
  #observation: AttemptObservation | undefined;
  /** What is written ends the attempt: the time on the way there is not its own, and its run may have ended by then. */
  #observedEnd: ObservedEnd | undefined;

  constructor(runtime: AttemptRuntime, parts: AttemptParts<Context>, kind: Pick<LiveAttempt, 'isCleanup'> = {}) {
    this.runtime = runtime;
    this.chain = parts.chain;
    this.assignment = parts.assignment;
    this.address = parts.address;
    this.claimed = parts.claimed;
    this.control = parts.control;
    this.context = parts.context;
    this.breaker = breakerOf(runtime, parts);
    this.spreadKey = spreadKeyOf(parts.assignment);
    const { tag, runId, key, attemptId } = parts.address;
    const { stepId } = parts.assignment;
    this.#entry = { tag, runId, stepId, key, attemptId, control: parts.control, task: parts.chain.task, ...kind };
  }

  /** Goes through all stages. Answers the attempt that its commit has claimed, if any. */
  async make(): Promise<NextAttempt | undefined> {
    this.open();
    try {
      if (this.runtime.options.observer !== undefined) await this.#observe(this.runtime.options.observer);
      const result = await this.#call();
      this.control.stop();
      return await this.#end(result);
    } catch (error) {
      this.control.stop();
      this.#settleBreaker('ignored');
      await this.#endAfterInternalError(error);
      return undefined;
    } finally {
      await this.close();
    }
  }

  protected open(): void {
    this.runtime.live.open(this.#entry);
  }

  /** What the handler is given. What it throws fails the attempt, unless it is trouble with Redis. */
  protected abstract resolveInput(): Promise<Json>;

  /** Has the end written. Answers the attempt that was claimed with it, if any. */
  protected abstract write(settled: SettledAttempt): Promise<NextAttempt | undefined>;

  /** Hands the attempt back uncharged: Redis was out of reach, which is nobody's failure. */
  protected abstract release(reason: string): Promise<void>;

  /** The call has failed, whatever follows. */
  protected noteFailure(_failure: Failure): void {}

  /** How many of its failures a rate limit has ended. */
  protected rateLimitedBefore(): Promise<number> {
    return Promise.resolve(0);
  }

  protected async close(): Promise<void> {
    // Where nothing has told what became of the call.
    this.#settleBreaker('ignored');
    this.runtime.live.close(this.#entry);
    this.#tellEnd();
    await this.context.cleanUp();
  }

  /** Redis' clock, by which all waits are kept. */
  protected redisNow(): number {
    return this.claimed.claimedAt + (performance.now() - this.startedAt);
  }

  async #call(): Promise<CallResult> {
    let input: Json;
    try {
      input = await this.resolveInput();
    } catch (error) {
      if (isRedisOutage(error)) throw error;
      return { kind: 'threw', error };
    }
    // What has none pays no turn of the loop for it.
    const forMs = this.breaker && (await this.#enterBreaker(this.breaker));
    if (forMs !== undefined) return { kind: 'kept-out', forMs };
    const { outputLimits } = this.runtime.options;
    const call = () =>
      runHandler(this.assignment.handler, input, { context: this.context, control: this.control }, outputLimits);
    return this.accepted(await (this.#observation === undefined ? call() : this.#observation.within(call)));
  }

  async #observe(observer: AttemptObserver): Promise<void> {
    this.#observation = await observer.begin(this.#observed());
    this.context.logFields = this.logFields;
  }

  /** What a call came to: an output that the step cannot have makes it a failed one. */
  protected accepted(result: CallResult): CallResult {
    return result;
  }

  #observed(): ObservedAttempt {
    const { address, assignment, claimed, chain } = this;
    return {
      ...{ address, stepId: assignment.stepId, use: assignment.work.use, attempt: claimed.failures + 1 },
      workflow: chain.plan.definition.name,
      isCleanup: this.#entry.isCleanup === true,
      startedAt: claimed.claimedAt,
    };
  }

  get #isWatched(): boolean {
    return this.#observation !== undefined || this.runtime.options.onAttemptEnd !== undefined;
  }

  #tellEnd(): void {
    if (!this.#isWatched) return;
    const end: ObservedEnd = this.#observedEnd ?? { outcome: 'release', endedAt: this.redisNow() };
    this.#observation?.end(end);
    this.runtime.options.onAttemptEnd?.(this.#observed(), end);
  }

  /** What log lines about it have besides. */
  protected get logFields(): Readonly<Record<string, string>> {
    return this.#observation?.logFields ?? {};
  }

  /** State has refused what this attempt came to: somebody else has ended it. */
  protected noteRefusal(): void {
    this.#observedEnd = { outcome: 'refused', endedAt: this.redisNow() };
  }

  /** Right before the call: a breaker may open at any moment. Undefined when the call may be made. */
  #enterBreaker(breaker: GuardedCall): Promise<number | undefined> {
    return breaker.enter(this.address, this.claimed.failures + this.claimed.crashes === 0);
  }

  async #end(result: CallResult): Promise<NextAttempt | undefined> {
    const failure = this.#failureOf(result);
    const end = await decideEnd(this.#endingOf(result, failure), failure && this.#inputsOf(failure));
    if (end.end === 'commit') this.#settleBreaker('success');
    if (end.end === 'release') this.#settleBreaker('ignored');
    else if (failure !== undefined) this.noteFailure(failure);
    if (this.#isWatched) this.#observedEnd = observedEndOf(end, failure, this.redisNow());
    return this.write({ end, result, failure: failure && { ...failure, error: errorOf(failure) } });
  }

  #failureOf(result: CallResult): Failure | undefined {
    if (result.kind === 'kept-out') return undefined;
    const { classifyRules: rules = [] } = this.runtime.options;
    return failureOf(result, this.control, { rules, nowMs: this.redisNow() });
  }

  #endingOf(result: CallResult, failure: Failure | undefined): EndingAttempt {
    if (result.kind === 'kept-out') return { happened: 'kept-out', forMs: result.forMs };
    if (failure === undefined) return { happened: 'returned' };
    const { claimed, assignment, control } = this;
    return {
      happened: 'failed',
      classification: failure.classification,
      policy: assignment.work.retry,
      failures: claimed.failures + 1,
      elapsedMs: this.redisNow() - claimed.firstAt,
      random: (this.runtime.options.random ?? Math.random)(),
      cause: control.cause,
      isAbandoned: failure.isAbandoned,
    };
  }

  #inputsOf({ classification }: Failure): EndInputs {
    const { breaker } = this;
    const { flags = DEFAULT_FLAGS } = this.runtime.options;
    const spreads = isOnForRun(flags, 'spread-retries', this.address.runId);
    return {
      parkMs: breaker && (() => breaker.settleFailure(classification)),
      rateLimited: () => this.rateLimitedBefore(),
      budgetDelayMs: breaker && (() => breaker.budgetDelayMs()),
      spread: spreads ? (retry) => this.#spread(retry, classification.retryAfterMs !== undefined) : undefined,
    };
  }

  #spread({ delayMs, atMostMs }: SpreadRetry, asked: boolean): number {
    return this.runtime.spreads.of(this.spreadKey).place({
      step: `${this.address.runId}/${this.address.key}`,
      nowMs: this.redisNow(),
      delayMs,
      atMostMs,
      asked,
      random: this.runtime.options.random ?? Math.random,
    });
  }

  /** Not waited for: it never rejects, and the end of the attempt is what matters. Only the first is heard. */
  #settleBreaker(outcome: 'success' | 'ignored'): void {
    void this.breaker?.settle(outcome);
  }

  /**
   * Something other than the handler went wrong. Redis out of reach is nobody's failure: the step goes back uncharged. What
   * else it may be would come again, so it counts as a failed attempt. Tries until state has answered.
   */
  async #endAfterInternalError(error: unknown): Promise<void> {
    const { runId } = this.address;
    const { stepId } = this.assignment;
    this.runtime.options.logger.error({ error, runId, stepId }, 'could not end an attempt cleanly');
    let releases = isRedisOutage(error);
    for (;;) {
      try {
        if (releases) await this.release('worker-trouble');
        else await this.#end({ kind: 'threw', error });
        return;
      } catch (again) {
        if (!isRedisOutage(again)) releases = true;
        await new Promise((resolve) => setTimeout(resolve, TROUBLE_PAUSE_MS).unref());
      }
    }
  }
}

function observedEndOf(end: AttemptEnd, failure: Failure | undefined, endedAt: number): ObservedEnd {
  const { type, code } = failure?.classification ?? {};
  const error = type === undefined || code === undefined ? undefined : { type, code };
  return { outcome: end.end, endedAt, error, retryInMs: end.end === 'retry' ? end.inMs : undefined };
}

/** The breaker that the calls of a step, and of what undoes it, stand behind; undefined when there is none. */
function breakerOf({ options }: AttemptRuntime, { address, assignment }: AttemptParts): GuardedCall | undefined {
  const { breakers, flags = DEFAULT_FLAGS } = options;
  const { breaker } = assignment.work;
  if (breaker === undefined || breakers === undefined || !isOnForRun(flags, 'breakers', address.runId))
    return undefined;
  return new GuardedCall(breakers, breaker);
}
