import type { RetryPolicy } from '@flotilla/contracts';

/** No computed wait is longer, whatever the policy says; applied after the jitter. */
export const MAX_BACKOFF_MS = 30_000;

/**
 * Milliseconds to wait after the given failure (1 = the first): `initialMs * factor^(failures - 1)`, at most `maxMs`;
 * with full jitter a share of that, uniform in [0, 1). `random` is in [0, 1).
 */
export function backoffMs(
  policy: Pick<RetryPolicy, 'initialMs' | 'factor' | 'maxMs' | 'jitter'>,
  failures: number,
  random: number,
): number {
  const { initialMs, factor, maxMs, jitter } = policy;
  // 0 * Infinity is NaN: no initial wait means no wait at all.
  const exponential = initialMs === 0 ? 0 : Math.min(initialMs * factor ** (Math.max(1, failures) - 1), maxMs);
  const jittered = jitter === 'full' ? exponential * random : exponential;
  return Math.min(Math.floor(jittered), MAX_BACKOFF_MS);
}
