import { FlotillaError } from '@flotilla/contracts';

const RETRY_AFTER_MS = 5000;

/** Counts open event streams and refuses more than the limit. */
export class StreamLimit {
  readonly #maxStreams: number;
  #streams = 0;

  constructor(maxStreams: number) {
    this.#maxStreams = maxStreams;
  }

  get streams(): number {
    return this.#streams;
  }

  /**
   * OVERLOADED with a time to retry. Before anything is awaited, so that streams which are about to open count, too; a
   * stream is counted until `gone` aborts.
   */
  enter(gone: AbortSignal): void {
    if (this.#streams >= this.#maxStreams) {
      const message = `${this.#streams} event streams are open; poll, or try again later`;
      throw new FlotillaError('OVERLOADED', message, { retryAfterMs: RETRY_AFTER_MS });
    }
    if (gone.aborted) return;
    this.#streams += 1;
    const leave = (): void => {
      this.#streams -= 1;
    };
    gone.addEventListener('abort', leave, { once: true });
  }
}
