import { setTimeout as delay } from 'node:timers/promises';
import { startStopwatch } from './machine-time.ts';

export interface EventuallyOptions {
  /** Machine time, so longer on a machine that others use. Default 5000. */
  timeoutMs?: number;
  /** Pause between two checks. Default: 10 at first, and longer for who has waited long (see `pauseMs`). */
  intervalMs?: number;
  /** What was waited for, for the error. */
  message?: string;
}

/**
 * Repeats `check` until it returns something other than false, null or undefined, and returns that.
 * A check that throws (a failed `expect`, say) is repeated as well; when the time is over its last error is the cause.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 5000, intervalMs, message = 'the condition' }: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const startedMs = performance.now();
  const machineMs = startStopwatch();
  let lastError: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (machineMs() >= timeoutMs) {
      const why = lastError instanceof Error ? `: ${lastError.message}` : '';
      throw new Error(`waited ${timeoutMs} ms for ${message}${why}`, { cause: lastError });
    }
    await delay(intervalMs ?? pauseMs(performance.now() - startedMs));
  }
}

const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;

/**
 * A twentieth of the time waited so far, within bounds: the end of a wait is noticed as exactly as its length matters, and
 * those who wait for seconds leave the processor to what they wait for.
 */
function pauseMs(waitedMs: number): number {
  return Math.max(SHORTEST_PAUSE_MS, Math.min(LONGEST_PAUSE_MS, waitedMs / 20));
}

/** Rejects when `promise` has not settled after `timeoutMs` of machine time. The promise itself goes on. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  const machineMs = startStopwatch();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const look = (): void => {
      const leftMs = timeoutMs - machineMs();
      if (leftMs <= 0) reject(new Error(`waited ${timeoutMs} ms for ${message}`));
      else timer = setTimeout(look, Math.ceil(leftMs));
    };
    timer = setTimeout(look, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
