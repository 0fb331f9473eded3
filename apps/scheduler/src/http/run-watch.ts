import type { RunApi } from './run-api.ts';

/**
 * Shares one subscription to run hints among all requests that wait for a run. A hint may be lost, so every wait has a
 * limit after which its caller looks for itself.
 */
export class RunWatch {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #stop: () => void;
  #closed = false;

  constructor(api: Pick<RunApi, 'watchRuns'>) {
    this.#stop = api.watchRuns((runId) => this.#wake(runId));
  }

  /** Resolves at the next hint for the run, after `limitMs`, when the signal aborts or at `close`. Never rejects. */
  next(runId: string, limitMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#closed || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        const waiting = this.#waiting.get(runId);
        waiting?.delete(wake);
        if (waiting?.size === 0) this.#waiting.delete(runId);
        resolve();
      };
      const timer = setTimeout(wake, limitMs);
      signal?.addEventListener('abort', wake, { once: true });
      let waiting = this.#waiting.get(runId);
      if (waiting === undefined) {
        waiting = new Set();
        this.#waiting.set(runId, waiting);
      }
      waiting.add(wake);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    for (const runId of [...this.#waiting.keys()]) this.#wake(runId);
  }

  #wake(runId: string): void {
    for (const wake of [...(this.#waiting.get(runId) ?? [])]) wake();
  }
}
