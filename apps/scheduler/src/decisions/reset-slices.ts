import type { ResetSlice, StepKey, Transitions } from '@flotilla/state';

/** Fields and timers of one script call: it takes well under a millisecond. */
const MOST_FIELDS = 300;
const MOST_TIMERS = 50;
/** Of the checkpoints that are kept of a step's progress. */
const PLACES = [0, 1, 2];

/** Gathers what a retry takes away and sets, and writes it in slices that do not hold Redis up. */
export class ResetSlices {
  readonly #write: (slice: ResetSlice) => Promise<unknown>;
  #slice: ResetSlice = { timersOf: [], remove: [], set: [] };

  constructor(transitions: Transitions, tag: string, runId: string, opening: number) {
    this.#write = (slice) => transitions.resetSteps(tag, runId, opening, slice);
  }

  /** A step or map item is as if it had never begun. */
  async resetStep(
    key: StepKey,
    { keepsProgress, hasHeader }: { keepsProgress: boolean; hasHeader: boolean },
  ): Promise<void> {
    // One that has not begun may be waited for all the same: its time in the queue ran.
    this.#slice.timersOf.push(key);
    if (hasHeader) this.#slice.remove.push(`s${key}`, `o${key}`, `q${key}`);
    if (!keepsProgress) this.#slice.remove.push(`k${key}`, ...PLACES.map((place) => `k${key}~${place}`), `b${key}`);
    await this.#flushWhenFull();
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
