import type { RetryPolicy } from '@flotilla/contracts';

/**
 * Milliseconds to wait after the given failure (1 = the first): `initialMs * factor^(failures - 1)`, at most `maxMs`; with full
 * jitter a share of that, uniform in [0, 1). `random` is in [0, 1). Without a `maxMs` of its own no policy waits longer than
 * `MAX_BACKOFF_MS`.
 */
export function backoffMs(
  policy: Pick<RetryPolicy, 'initialMs' | 'factor' | 'maxMs' | 'jitter'>,
  failures: number,
  random: number,
): number {
  const { initialMs, factor, maxMs, jitter } = policy;
  // 0 * Infinity is NaN: no initial wait means no wait at all.
  const exponential = initialMs === 0 ? 0 : Math.min(initialMs * factor ** (Math.max(1, failures) - 1), maxMs);
  return Math.floor(jitter === 'full' ? exponential * random : exponential);
}
