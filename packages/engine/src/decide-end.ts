import type { RetryPolicy } from '@flotilla/contracts';
import type { Classification } from './classify-error.ts';
import { decideRetry, type RetryFailReason } from './decide-retry.ts';

/** Why an attempt's AbortSignal fired. */
export type AbortCause =
  | 'attempt-time'
  | 'total-time'
  | 'heartbeat'
  | 'cancelled'
  | 'drain'
  | 'superseded'
  | 'stray-error';

/** An attempt that has failed, of a step or of a cleanup. */
export interface FailedAttempt {
  happened: 'failed';
  classification: Pick<Classification, 'type' | 'retryAfterMs'>;
  policy: RetryPolicy;
  /** Failed attempts of the step, this one included. Lost attempts are counted apart and are not in here. */
  failures: number;
  /** Milliseconds since the first attempt of the step started. */
  elapsedMs: number;
  /** Uniform in [0, 1): the decision itself has no randomness. */
  random: number;
  /** What has aborted it, if anything has. */
  cause?: AbortCause | undefined;
  /** Its handler did not end after its abort: what it does outside goes on. */
  isAbandoned?: boolean;
}

/** What is known of an attempt when it ends. */
export type EndingAttempt =
  /** Its handler returned within its limits, whatever was asked of it meanwhile. */
  | { happened: 'returned' }
  /** Its call was never made: what it needs cannot be had for so long. */
  | { happened: 'kept-out'; forMs: number }
  /** The process that made it is gone. `isPoison`: it is the step that ends processes. */
  | { happened: 'lost'; isPoison: boolean }
  | FailedAttempt;

/**
 * What the end of a failed attempt may depend on besides. Each is asked at most once and only where it matters, since
 * asking counts: a breaker hears of a failure, a retry takes its place in a budget.
 */
export interface EndInputs {
  /** Tells the breaker of its dependency of the failure. Gives for how long the step is to be parked, if it is. */
  parkMs?: (() => Promise<number | undefined>) | undefined;
  /** How many of the failures a rate limit has ended. Default: none. */
  rateLimited?: (() => Promise<number>) | undefined;
  /** How long the fleet's retry budget has the retry wait for its place. Default: it is within. */
  budgetDelayMs?: (() => Promise<number>) | undefined;
  /** Milliseconds until the retry when others come back too: at least `delayMs`. Default: `delayMs`. */
  spread?: ((retry: SpreadRetry) => number) | undefined;
}

export interface SpreadRetry {
  delayMs: number;
  /** What is left of the policy's `maxElapsedMs`. */
  atMostMs: number;
}

/** How an attempt ends. */
export type AttemptEnd =
  | { end: 'commit' }
  /** Uncharged, until what the step needs may be had. */
  | { end: 'park'; forMs: number }
  /** Uncharged, back to the fleet or to nobody. */
  | { end: 'release'; reason: ReleaseReason }
  | { end: 'retry'; inMs: number }
  | { end: 'fail'; reason: RetryFailReason | 'poison' };

export type ReleaseReason = 'cancelled' | 'drain' | 'superseded' | 'abandoned';

/** A step whose process has ended is tried again after this long: whatever ended it may pass. */
const LOST_RETRY_MS = 500;

/**
 * The only place that decides how an attempt ends, of a step or a cleanup, whoever ends it: the worker that made it, the
 * worker whose process for it died, or the scheduler. Knows no clock and no chance of its own.
 */
export async function decideEnd(attempt: EndingAttempt, inputs: EndInputs = {}): Promise<AttemptEnd> {
  switch (attempt.happened) {
    case 'returned':
      return { end: 'commit' };
    case 'kept-out':
      return { end: 'park', forMs: attempt.forMs };
    case 'lost':
      return attempt.isPoison ? { end: 'fail', reason: 'poison' } : { end: 'retry', inMs: LOST_RETRY_MS };
    case 'failed':
      return releaseOf(attempt) ?? decideFailure(attempt, inputs);
  }
}

/** Nobody's failure: it was told to stop. */
function releaseOf({ cause, isAbandoned }: FailedAttempt): AttemptEnd | undefined {
  if (cause !== 'cancelled' && cause !== 'drain' && cause !== 'superseded') return undefined;
  // Told apart for the receipt: the attempt is over, what its handler does outside is not.
  return { end: 'release', reason: cause === 'cancelled' && isAbandoned === true ? 'abandoned' : cause };
}

async function decideFailure(attempt: FailedAttempt, inputs: EndInputs): Promise<AttemptEnd> {
  const isOver = attempt.cause === 'total-time';
  const parkMs = await inputs.parkMs?.();
  if (isOver) return { end: 'fail', reason: 'time-exhausted' };
  if (parkMs !== undefined) return { end: 'park', forMs: parkMs };
  const { classification, policy, failures, elapsedMs, random } = attempt;
  const rateLimited = await inputs.rateLimited?.();
  const decision = decideRetry({ classification, policy, failures, rateLimited, elapsedMs, random });
  if (decision.action === 'fail') return { end: 'fail', reason: decision.reason };
  const budgetDelayMs = (await inputs.budgetDelayMs?.()) ?? 0;
  const delayMs = Math.max(decision.delayMs, Math.min(budgetDelayMs, decision.leftMs));
  const inMs = inputs.spread?.({ delayMs, atMostMs: policy.maxElapsedMs - elapsedMs }) ?? delayMs;
  return { end: 'retry', inMs: Math.round(inMs) };
}
