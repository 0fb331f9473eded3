import type { HttpRequestDefinition } from '@flotilla/contracts';
import { StepFailure } from '../step-failure.ts';
import { RateLimitedError } from '../typed-errors.ts';

export type HttpPolicy = Pick<HttpRequestDefinition, 'accept' | 'retryOn'>;

/** 2xx, and what the step accepts beside it. */
export function isSuccess(status: number, { accept = [] }: HttpPolicy): boolean {
  return (status >= 200 && status <= 299) || accept.includes(status);
}

/** The failure as the step wants it: one that `retryOn` names by its status or code says that it may be retried. */
export function applyRetryOn(failure: StepFailure, { retryOn = [] }: HttpPolicy): StepFailure {
  if (retryOn.length === 0 || failure instanceof RateLimitedError) return failure;
  const { message, code, status, retryAfterMs, cause } = failure;
  // A certificate's code is that of the cause, and so is what the step's error shows.
  const known: unknown[] = [status, code, (cause as { code?: unknown } | null | undefined)?.code];
  if (!retryOn.some((each) => known.includes(each))) return failure;
  return new StepFailure(message, {
    code,
    retryable: true,
    cause,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
