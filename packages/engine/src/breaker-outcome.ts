import type { Classification } from './classify-error.ts';

/**
 * What a failed call says of the dependency: `failure` counts against it; `answered` counts neither way but shows that it
 * answers; `ignored` says nothing of it.
 */
export type FailedCallOutcome = 'failure' | 'answered' | 'ignored';

/** The worker itself ran out of something. */
const OWN_EXHAUSTION: ReadonlySet<string> = new Set([
  ...['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM', 'EDQUOT', 'ENOBUFS', 'ERR_WORKER_OUT_OF_MEMORY', 'STORAGE_FULL'],
]);

/**
 * Which failures count against a breaker: timeouts, what may be retried, a dependency that has run out of something, and
 * every answer of 500 and above. A refusal (4xx) and a rate limit are answers. Cancelled calls, programmers' errors, and
 * what this worker itself ran out of say nothing.
 */
export function outcomeOfFailedCall({
  type,
  code,
  status,
}: Pick<Classification, 'type' | 'code' | 'status'>): FailedCallOutcome {
  if (type === 'cancelled' || type === 'crash') return 'ignored';
  if (status !== undefined && status >= 500) return 'failure';
  switch (type) {
    case 'timeout':
    case 'retryable':
      return 'failure';
    case 'resource_exhausted':
      return OWN_EXHAUSTION.has(code) ? 'ignored' : 'failure';
    case 'rate_limited':
      return 'answered';
    case 'non_retryable':
      return status === undefined ? 'ignored' : 'answered';
  }
}
