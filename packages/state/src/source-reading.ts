import { FlotillaError } from '@flotilla/contracts';
import { OneAtATime } from './one-at-a-time.ts';

/** Characters of stored JSON that the expressions of one template, condition or map may read, outputs of steps together. */
const MAX_SOURCE_CHARACTERS = 8_388_608;
/** Those who read more than this do so one after the other: as values JSON takes up to twenty times its text. */
const LARGE_CHARACTERS = 1_048_576;

const largeReadings = new OneAtATime();

/**
 * What one evaluation reads, counted while it is read. `end` must be called once what was read is no longer needed.
 * Errors: `EXPRESSION_FAILED`, which no retry follows.
 */
export class SourceReading {
  #characters = 0;
  #release: (() => void) | undefined;

  /** Counts what was read; waits until it may be turned into values. */
  async count(characters: number): Promise<void> {
    this.#characters += characters;
    if (this.#characters > MAX_SOURCE_CHARACTERS) {
      const message = `the outputs that are read together are larger than ${MAX_SOURCE_CHARACTERS} characters`;
      throw new FlotillaError('EXPRESSION_FAILED', message);
    }
    if (this.#characters > LARGE_CHARACTERS) this.#release ??= await largeReadings.enter();
  }

  end(): void {
    this.#release?.();
    this.#release = undefined;
  }
}
