import type { RetryPolicy } from '@flotilla/contracts';
import type { EndingAttempt } from '@flotilla/engine';

/** An attempt whose worker did not end it: in time, or at all. */
export interface OverdueAttempt {
  /** It was lost too often; else its time is over. */
  isCrash: boolean;
  /** Failed attempts, this one included. */
  failures: number;
  /** Milliseconds since the first attempt. */
  elapsedMs: number;
  /** Uniform in [0, 1). */
  random: number;
}

/** What `decideEnd` is asked of it. What has no retry policy is not tried again. */
export function endingOfOverdue(
  { isCrash, failures, elapsedMs, random }: OverdueAttempt,
  policy: RetryPolicy | undefined,
): EndingAttempt {
  if (isCrash || policy === undefined) return { happened: 'lost', isPoison: true };
  return { happened: 'failed', classification: { type: 'timeout' }, policy, failures, elapsedMs, random };
}
