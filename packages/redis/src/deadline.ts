/** What `Deadline.race` and `Deadline.pause` reject with when the time is over. */
export const DEADLINE_PASSED = Symbol('deadline passed');

export interface Deadline {
  /** Until the deadline, by the monotonic clock; negative afterwards. */
  remainingMs(): number;
  /** The promise, unless the deadline (DEADLINE_PASSED) or the signal (its reason) comes first. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** A pause that the deadline and the signal end as well. */
  pause(delayMs: number): Promise<void>;
  /** Lets go of the timer and the signal. Always call it. */
  end(): void;
}

/** Starts a deadline `deadlineMs` from now. */
export function startDeadline(deadlineMs: number, signal?: AbortSignal): Deadline {
  const endsAtMs = performance.now() + deadlineMs;
  let stop: (reason: unknown) => void = () => undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = reject;
  });
  stopped.catch(() => undefined); // nobody may be racing when it comes
  const timer = setTimeout(() => stop(DEADLINE_PASSED), Math.max(0, deadlineMs));
  const onAbort = (): void => stop(signal?.reason);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });

  return {
    remainingMs: () => endsAtMs - performance.now(),
    race: (promise) => Promise.race([stopped, promise]),
    async pause(delayMs) {
      let pauseTimer: NodeJS.Timeout | undefined;
      try {
        await Promise.race([
          stopped,
          new Promise<void>((resolve) => {
            pauseTimer = setTimeout(resolve, delayMs);
          }),
        ]);
      } finally {
        clearTimeout(pauseTimer);
      }
    },
    end() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}
