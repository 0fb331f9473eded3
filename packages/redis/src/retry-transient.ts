import {
  classifyRedisError,
  mayHaveTakenEffect,
  type RedisCondition,
  RedisUnavailableError,
  withoutArguments,
} from './classify-redis-error.ts';
import { DEADLINE_PASSED, startDeadline } from './deadline.ts';

export interface TransientRetry {
  /** The try that failed, from 1. */
  attempt: number;
  condition: RedisCondition;
  error: unknown;
  /** Pause before the next try. */
  delayMs: number;
}

export interface RetryTransientOptions {
  /** Time for all tries together, by the monotonic clock. */
  deadlineMs: number;
  /** Ends the waiting: the returned promise rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** Called before each pause. It is called often during an outage: limit what it logs. */
  onRetry?: ((retry: TransientRetry) => void) | undefined;
  /** From 0 to below 1. Default Math.random. */
  random?: () => number;
}

export interface TryContext {
  /** From 1. */
  attempt: number;
  /** Until the deadline. */
  remainingMs: number;
}

const FIRST_CEILING_MS = 25;
const HIGHEST_CEILING_MS = 1000;
/** A pause is cut so that one last try fits before the deadline. */
const LAST_TRY_MS = 50;
/** A full Redis or disk and a wrong password need a person or a clean-up; a connection comes back sooner. */
const RETRY_AFTER_MS: Partial<Record<RedisCondition, number>> = {
  'out-of-memory': 5000,
  disk: 5000,
  'access-denied': 5000,
};
const DEFAULT_RETRY_AFTER_MS = 1000;

/**
 * Calls `operation` until it succeeds, while it fails for a reason that may pass (see `classifyRedisError`), with
 * pauses drawn from 0 to a ceiling that doubles from 25 to 1000 ms. The operation must be safe to repeat: a try whose
 * answer was lost may have taken effect, and one that is under way at the deadline may yet do so.
 *
 * @throws RedisUnavailableError after the deadline, with the last error as its cause.
 * @throws the error of the operation, when it is of another kind.
 * @throws the reason of `signal`, once that is aborted.
 */
export async function retryTransient<T>(
  operation: (context: TryContext) => Promise<T>,
  { deadlineMs, signal, onRetry, random = Math.random }: RetryTransientOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const deadline = startDeadline(deadlineMs, signal);
  const failure: Failure = { condition: 'timeout', ambiguous: false, cause: undefined };
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await deadline.race(operation({ attempt, remainingMs: deadline.remainingMs() }));
      } catch (error) {
        if (error === DEADLINE_PASSED) throw unavailable({ ...failure, ambiguous: true }, attempt, deadlineMs);
        signal?.throwIfAborted();
        note(failure, error);
      }
      const delayMs = pauseBefore(attempt + 1, deadline.remainingMs(), random);
      if (delayMs === undefined) throw unavailable(failure, attempt, deadlineMs);
      onRetry?.({ attempt, condition: failure.condition, error: failure.cause, delayMs });
      try {
        await deadline.pause(delayMs);
      } catch (error) {
        throw error === DEADLINE_PASSED ? unavailable(failure, attempt, deadlineMs) : error;
      }
    }
  } finally {
    deadline.end();
  }
}

interface Failure {
  condition: RedisCondition;
  /** True once any try may have taken effect. */
  ambiguous: boolean;
  cause: unknown;
}

/** Takes a passing error down; throws one of another kind on. */
function note(failure: Failure, error: unknown): void {
  const condition = classifyRedisError(error);
  const cause = withoutArguments(error);
  if (condition === undefined) throw cause;
  failure.condition = condition;
  failure.cause = cause;
  failure.ambiguous ||= mayHaveTakenEffect(error);
}

/** Undefined when no further try fits. */
function pauseBefore(attempt: number, remainingMs: number, random: () => number): number | undefined {
  if (remainingMs <= LAST_TRY_MS) return undefined;
  const ceilingMs = Math.min(HIGHEST_CEILING_MS, FIRST_CEILING_MS * 2 ** Math.min(attempt - 2, 10));
  return Math.min(random() * ceilingMs, remainingMs - LAST_TRY_MS);
}

function unavailable({ condition, ambiguous, cause }: Failure, attempts: number, deadlineMs: number): Error {
  const why = cause instanceof Error ? cause.message : 'no answer';
  const tries = attempts === 1 ? '1 try' : `${attempts} tries`;
  return new RedisUnavailableError(
    `Redis did not serve the call within ${deadlineMs} ms (${condition}, ${tries}): ${why}`,
    {
      condition,
      ambiguous,
      retryAfterMs: RETRY_AFTER_MS[condition] ?? DEFAULT_RETRY_AFTER_MS,
      cause,
    },
  );
}
