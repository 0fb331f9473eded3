/** Milliseconds that only go forward, for measuring. */
export function nowMs(): number {
  return performance.now();
}

export interface Limit {
  /** Aborts at the deadline or when the caller gives up. */
  signal: AbortSignal;
  /** True when the deadline was it. */
  isOver(): boolean;
  /** Frees the timer and lets go of the caller's signal. */
  release(): void;
}

/** Joins a time limit and a caller's signal. (`AbortSignal.any` would keep every call alive in a long-lived signal.) */
export function limitBy(limitMs: number, outer: AbortSignal | undefined): Limit {
  const controller = new AbortController();
  let over = false;
  const timer = setTimeout(
    () => {
      over = true;
      controller.abort();
    },
    Math.max(0, limitMs),
  );
  const giveUp = (): void => controller.abort();
  if (outer?.aborted === true) giveUp();
  else outer?.addEventListener('abort', giveUp, { once: true });
  return {
    signal: controller.signal,
    isOver: () => over,
    release: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', giveUp);
    },
  };
}

/** Resolves after the time, or at once when the signal aborts. Never rejects. */
export function pause(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, durationMs));
    signal?.addEventListener('abort', done, { once: true });
  });
}
