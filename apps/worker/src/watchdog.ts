import { Worker } from 'node:worker_threads';
import { DEFAULT_LEASE_DURATION_MS } from '@flotilla/state';

/**
 * The main loop has not turned for this long: every lease that it held has run out, for the last renewal came before. Ended
 * sooner, a worker would lose attempts that it could still commit; later, it would hold up its successor.
 */
const BLOCKED_MS = DEFAULT_LEASE_DURATION_MS;
const BEAT_MS = 500;
/** Ends a process like SIGKILL, and tells its parent why: nobody else sends it. */
export const BLOCKED_SIGNAL = 'SIGVTALRM';
/** What is said of a step whose process has ended so. */
export const BLOCKED_REASON = `it blocked the event loop for more than ${BLOCKED_MS / 1000} s: compute in pieces with awaits between, or in a worker thread`;

/**
 * Runs in a thread of its own, because a blocked loop cannot watch itself. It does not renew anything: a blocked worker
 * must look dead. Text, not a file, so that it needs no path in either form the worker runs in.
 */
const WATCH = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const beat = new Int32Array(workerData.shared);
let seen = Atomics.load(beat, 0), blockedFor = 0, lookedAt = performance.now();
setInterval(() => {
  const current = Atomics.load(beat, 0);
  const now = performance.now(), gapMs = now - lookedAt;
  lookedAt = now;
  // A paused process (SIGSTOP, a sleeping machine) stops this thread too: that is not a blocked loop.
  if (current !== seen || gapMs > workerData.beatMs * 3) { seen = current; blockedFor = 0; return; }
  blockedFor += gapMs;
  if (blockedFor >= workerData.blockedMs) {
    try {
      writeSync(2, 'worker: a step has blocked the event loop for ' + Math.round(blockedFor) + ' ms; this process ends so that its steps can be made elsewhere\\n');
    } catch { /* Nobody reads it. */ }
    process.kill(process.pid, workerData.signal);
  }
}, workerData.beatMs);
`;

/** Watches the event loop: measures its lag, and ends the process when a step blocks it for good. */
export class Watchdog {
  readonly #beat = new Int32Array(new SharedArrayBuffer(4));
  #thread: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastAt = performance.now();
  #lagMs = 0;

  /** Largest lag of the event loop since it was last asked for. */
  takeLagMs(): number {
    const lag = Math.round(this.#lagMs);
    this.#lagMs = 0;
    return lag;
  }

  /** `signal`: what ends the process; none that anybody listens to, for a blocked loop hears nothing. */
  start(signal: 'SIGKILL' | typeof BLOCKED_SIGNAL = 'SIGKILL'): void {
    const workerData = { shared: this.#beat.buffer, beatMs: BEAT_MS, blockedMs: BLOCKED_MS, signal };
    // Without the options of the process: a preloaded module is for the main thread.
    this.#thread = new Worker(WATCH, { eval: true, execArgv: [], workerData });
    this.#thread.unref();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#lagMs = Math.max(this.#lagMs, now - this.#lastAt - BEAT_MS);
      this.#lastAt = now;
      Atomics.add(this.#beat, 0, 1);
    }, BEAT_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#thread?.terminate();
  }
}
