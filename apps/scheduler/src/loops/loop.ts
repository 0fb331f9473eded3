import { setTimeout as pause } from 'node:timers/promises';
import { createRateLimitedLog, type Logger, type RateLimitedLog } from '@flotilla/telemetry';

export interface LoopOptions {
  name: string;
  /** One turn; answers in how many ms the next is due (default: `intervalMs`). */
  turn: (signal: AbortSignal) => Promise<number | undefined>;
  intervalMs: number;
  logger: Logger;
}

const AFTER_ERROR_MS = 250;

/** A duty that is done again and again, and survives every error of a turn: the next turn repeats it. */
export class Loop {
  readonly name: string;
  readonly #options: LoopOptions;
  readonly #log: RateLimitedLog;
  /** Told after each turn. */
  onTurn: (() => void) | undefined;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #pause: AbortController | undefined;
  #isWoken = false;
  #lastTurnAt = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#log = createRateLimitedLog({ logger: options.logger });
    this.name = options.name;
  }

  /** Monotonic milliseconds since the last turn ended; a loop that does not turn is not alive. */
  get idleMs(): number {
    return performance.now() - this.#lastTurnAt;
  }

  start(): void {
    this.#lastTurnAt = performance.now();
    this.#running ??= this.#run();
  }

  /** The next turn begins at once: now, or after the one that is under way. */
  wake(): void {
    this.#isWoken = true;
    this.#pause?.abort();
  }

  /** Stops after the turn that is under way. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { turn, intervalMs, name } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = (await turn(signal)) ?? intervalMs;
        this.#lastTurnAt = performance.now();
        this.onTurn?.();
      } catch (error) {
        if (signal.aborted) return;
        this.#log.write(`loop-${name}`, 'warn', { loop: name, error }, 'loop iteration failed; retrying');
        waitMs = AFTER_ERROR_MS;
      }
      await this.#wait(waitMs);
    }
  }

  async #wait(waitMs: number): Promise<void> {
    if (waitMs > 0 && !this.#isWoken) {
      this.#pause = new AbortController();
      await pause(waitMs, undefined, { signal: this.#pause.signal }).catch(() => undefined);
    }
    this.#isWoken = false;
  }
}
