/** The same signal again within this time asks for nothing more; after it, it ends the process at once. */
const SAME_REQUEST_MS = 2000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Calls `stop` at the first SIGTERM and at the first SIGINT. Whoever signals a whole process group reaches a process and its
 * parent, which passes the signal on: that is one request.
 *
 * Invariant: there is no moment without a listener until that time is over. In one between two listeners the signal would end
 * the process.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  for (const signal of SIGNALS) {
    let isAsked = false;
    const listener = () => {
      if (isAsked) return;
      isAsked = true;
      setTimeout(() => process.off(signal, listener), SAME_REQUEST_MS).unref();
      stop(signal);
    };
    process.on(signal, listener);
  }
}
