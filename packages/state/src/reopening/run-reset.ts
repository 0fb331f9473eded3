import { FIELD, PREFIX } from '../format.ts';
import type { StepKey } from '../plan-shape.ts';
import {
  cleanupField,
  headerAndOutput,
  lossesField,
  progressField,
  progressPlaceField,
  setAsideField,
} from '../run-fields.ts';
import type { ResetSlice } from '../transitions/retry-run.ts';
import { type MapToReset, resetMap } from './reset-map.ts';

/** Fields and timers of one script call: it takes well under a millisecond. */
const MOST_FIELDS = 300;
const MOST_TIMERS = 50;
/** Of the checkpoints that are kept of a step's progress. */
const PLACES = [0, 1, 2];

/** Gathers what a retry takes away and sets, and writes it in slices that do not hold Redis up. Ends with `flush`. */
export class RunReset {
  readonly #opening: number;
  readonly #write: (slice: ResetSlice) => Promise<unknown>;
  #slice: ResetSlice = { timersOf: [], remove: [], set: [] };

  constructor(opening: number, write: (slice: ResetSlice) => Promise<unknown>) {
    this.#opening = opening;
    this.#write = write;
  }

  /** A step or map item is as if it had never begun. */
  async resetStep(
    key: StepKey,
    { keepsProgress, hasHeader }: { keepsProgress: boolean; hasHeader: boolean },
  ): Promise<void> {
    // One that has not begun may be waited for all the same: its time in the queue ran.
    this.#slice.timersOf.push(key);
    if (hasHeader) this.#slice.remove.push(...headerAndOutput(key), lossesField(key));
    if (!keepsProgress) {
      const places = PLACES.map((place) => progressPlaceField(key, place));
      this.#slice.remove.push(progressField(key), ...places, setAsideField(key));
    }
    await this.#flushWhenFull();
  }

  /** See `resetMap`. */
  resetMap(map: MapToReset): Promise<number> {
    return resetMap(map, this);
  }

  /** A group counts from here; undefined: from the start. */
  async resetCounter(group: number, counter: number | undefined): Promise<void> {
    const field = `${PREFIX.counter}${group}`;
    if (counter === undefined) await this.remove(field);
    else await this.set(field, counter);
  }

  /** The step was undone and is made again in this opening, which its idempotency key names. */
  async markRedone(key: StepKey): Promise<void> {
    await this.set(PREFIX.redoneIn + key, this.#opening);
  }

  /** How many steps maps have made, for the run's budget. */
  async setMadeSteps(count: number): Promise<void> {
    await this.set(FIELD.madeSteps, count);
  }

  /** Comes after all else: the steps of which these are the cleanups have been reset then. By number: the step's key. */
  async forgetCleanups(stepKeys: readonly (StepKey | undefined)[]): Promise<void> {
    for (const [number, key] of stepKeys.entries()) {
      const own = key === undefined ? [] : [...headerAndOutput(`${key}!${number}`), PREFIX.registered + key];
      await this.remove(cleanupField(number), ...own);
    }
  }

  async remove(...fields: readonly string[]): Promise<void> {
    this.#slice.remove.push(...fields);
    await this.#flushWhenFull();
  }

  async set(field: string, value: string | number): Promise<void> {
    this.#slice.set.push([field, value]);
    await this.#flushWhenFull();
  }

  async flush(): Promise<void> {
    const slice = this.#slice;
    this.#slice = { timersOf: [], remove: [], set: [] };
    if (slice.timersOf.length + slice.remove.length + slice.set.length > 0) await this.#write(slice);
  }

  async #flushWhenFull(): Promise<void> {
    const { timersOf, remove, set } = this.#slice;
    if (timersOf.length >= MOST_TIMERS || remove.length + set.length >= MOST_FIELDS) await this.flush();
  }
}
