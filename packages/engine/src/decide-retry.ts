import type { RetryPolicy } from '@flotilla/contracts';
import { backoffMs } from './backoff.ts';
import type { Classification } from './classify-error.ts';

export interface RetryQuestion {
  classification: Pick<Classification, 'type' | 'retryAfterMs'>;
  policy: RetryPolicy;
  /** Failed attempts of the step, this one included. Lost attempts are counted apart and are not in here. */
  failures: number;
  /** So many of them were ended by a rate limit. Default 0. */
  rateLimited?: number | undefined;
  /** Milliseconds since the first attempt of the step started. */
  elapsedMs: number;
  /** Uniform in [0, 1): the decision itself has no randomness. */
  random: number;
}

export type RetryFailReason = 'cancelled' | 'not-retryable' | 'attempts-exhausted' | 'time-exhausted';

export type RetryDecision =
  /** `leftMs`: how long the wait may become when others come back too. */
  { action: 'retry'; delayMs: number; leftMs: number } | { action: 'fail'; reason: RetryFailReason };

/**
 * The retry rule, for `decideEnd` alone. What the error asks for (Retry-After) wins over the computed backoff, also over its
 * cap, as long as the wait ends within `maxElapsedMs`. Attempts that a rate limit has ended are limited by time
 * (`rateLimitedMs`) and not by number: they have failed by nobody's fault.
 */
export function decideRetry(question: RetryQuestion): RetryDecision {
  const { classification, policy, failures, rateLimited = 0, elapsedMs, random } = question;
  if (classification.type === 'cancelled') return { action: 'fail', reason: 'cancelled' };
  if (classification.type === 'non_retryable') return { action: 'fail', reason: 'not-retryable' };
  // One attempt means one attempt, whatever has ended it.
  const isRateLimited = classification.type === 'rate_limited' && policy.maxAttempts > 1;
  if (!isRateLimited && failures - rateLimited >= policy.maxAttempts)
    return { action: 'fail', reason: 'attempts-exhausted' };
  // A wait that is over when it is asked for, such as a date of long ago, is no wait: the policy's holds.
  const delayMs = classification.retryAfterMs || backoffMs(policy, failures, random);
  const leftMs =
    (isRateLimited ? Math.min(policy.maxElapsedMs, policy.rateLimitedMs) : policy.maxElapsedMs) - elapsedMs;
  if (delayMs > leftMs) return { action: 'fail', reason: 'time-exhausted' };
  return { action: 'retry', delayMs, leftMs };
}
