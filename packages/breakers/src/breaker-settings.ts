/** When breakers open and how they find the way back. Times in milliseconds. */
export interface BreakerSettings {
  /** Calls are judged over a window that slides by a twelfth of this. */
  windowMs: number;
  /** With fewer calls in the window of one worker, nothing opens. */
  minimumCalls: number;
  /** Opens at this share of failures, 0 to 1. */
  errorRate: number;
  /** Between two calls that test the way back: the whole fleet makes one in this time. */
  probeIntervalMs: number;
  /** A testing call that has not ended after this has failed, whatever becomes of it. */
  probeTimeoutMs: number;
  /** After the probe has succeeded, so many calls may run at once, and so many must succeed before the breaker closes. */
  rampCalls: number;
  /** Retries that the fleet allows itself per dependency. */
  retries: RetryBudgetSettings;
}

export interface RetryBudgetSettings {
  windowMs: number;
  /** Retries for each first try. */
  share: number;
  /** So many retries in a window are always allowed. */
  minimum: number;
}

export const DEFAULT_BREAKER_SETTINGS: BreakerSettings = {
  windowMs: 60_000,
  minimumCalls: 5,
  errorRate: 0.5,
  probeIntervalMs: 10_000,
  probeTimeoutMs: 30_000,
  rampCalls: 3,
  retries: { windowMs: 60_000, share: 0.2, minimum: 20 },
};
