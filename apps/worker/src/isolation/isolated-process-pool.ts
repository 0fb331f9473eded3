import type { AttemptControl, IsolatedAssignment, IsolatedOutcome } from '@flotilla/executor';
import type { Logger } from '@flotilla/telemetry';
import { IsolatedProcess } from './isolated-process.ts';

export interface OwnProcessesOptions {
  workerId: string;
  /** Processes at once, 1 or more. */
  most: number;
  logger: Logger;
}

/** A step waits this long for a process with its attempt claimed: less than a scheduler grants beyond an attempt's limit. */
const PATIENCE_MS = 2000;
/** A process that nobody has wanted for this long is ended. */
const IDLE_MS = 20_000;
const IDLE_CHECK_MS = 5000;
/** After so many processes in a row that did not come up, steps are made without. */
const MOST_FALSE_STARTS = 3;

interface Waiting {
  take: (process: IsolatedProcess | undefined) => void;
}

/**
 * Processes for steps that may be what ends workers, one attempt at a time in each, so that nobody else is struck and
 * nobody waits for a lease to run out to hear of it. A process that came through an attempt is used again.
 */
export class IsolatedProcessPool {
  readonly #options: OwnProcessesOptions;
  readonly #all = new Set<IsolatedProcess>();
  readonly #waiting: Waiting[] = [];
  readonly #idleCheck: NodeJS.Timeout;
  #falseStarts = 0;
  #closed = false;

  constructor(options: OwnProcessesOptions) {
    this.#options = options;
    this.#idleCheck = setInterval(() => this.#endIdle(), IDLE_CHECK_MS).unref();
  }

  /** Resolves when the attempt is over or its process has ended, or soon when there is no process for it. */
  async make(attempt: IsolatedAssignment, control: AttemptControl): Promise<IsolatedOutcome> {
    if (this.#falseStarts >= MOST_FALSE_STARTS) return { how: 'impossible' };
    const process = await this.#acquire(control.signal);
    if (process === undefined) return { how: 'busy' };
    const end = await process.make(this.#options.workerId, attempt, control);
    this.#serve();
    return end;
  }

  /** Ends what is left. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#idleCheck);
    for (const process of this.#all) process.end();
  }

  #acquire(signal: AbortSignal): Promise<IsolatedProcess | undefined> {
    return new Promise((resolve) => {
      const giveUp = () => waiting.take(undefined);
      const timer = setTimeout(giveUp, PATIENCE_MS);
      const waiting: Waiting = {
        take: (process) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', giveUp);
          const index = this.#waiting.indexOf(waiting);
          if (index >= 0) this.#waiting.splice(index, 1);
          resolve(process);
        },
      };
      signal.addEventListener('abort', giveUp);
      this.#waiting.push(waiting);
      this.#serve();
    });
  }

  /** Gives processes that are free to those who wait, and starts one where that is not enough. */
  #serve(): void {
    for (const process of this.#all) {
      if (process.state === 'free' && this.#waiting.length > 0) {
        // It is no longer free when the next is looked at.
        process.reserve();
        this.#waiting[0]!.take(process);
      }
    }
    const coming = [...this.#all].filter(({ state }) => state === 'starting').length;
    if (this.#waiting.length > coming && this.#all.size < this.#options.most) this.#start();
  }

  #start(): void {
    const { logger } = this.#options;
    const process = new IsolatedProcess({
      onReady: () => {
        this.#falseStarts = 0;
        this.#serve();
      },
      onEnd: ({ wasReady, how }) => {
        this.#all.delete(process);
        if (!wasReady && !this.#closed) {
          this.#falseStarts += 1;
          logger.error({ how }, 'an isolated process exited before its attempt began');
        }
        if (!this.#closed) this.#serve();
      },
    });
    this.#all.add(process);
  }

  #endIdle(): void {
    for (const process of this.#all) if (process.idleMs >= IDLE_MS) process.end();
  }
}
