/** How short a worker is of what its attempts need: `some` takes less work, `much` takes none for the moment. */
export type Pressure = 'none' | 'some' | 'much';

/** After a decrease the next waits so long: the attempts that are let end must show first. */
const DECREASE_EVERY_MS = 1000;
const DECREASE_FACTOR = 0.5;
const INCREASE_EVERY_MS = 500;
/** Of the slots, at least one. */
const INCREASE_SHARE = 0.02;
/** The limit grows only while this much of it is used: what was not tried is not known to fit. */
const USED_SHARE = 0.7;
/** Of the memory, that growth may lead to. */
const FULL_SHARE = 0.8;
const SLOW_START_SHARE = 0.1;
const SLOW_START_DOUBLES_EVERY_MS = 5000;
/** After an outage: until then attempts that have ended meanwhile tell of it, and what still goes on is really under way. */
const CARRIED_AFTER_MS = 1000;

/**
 * How many attempts a worker may make at once: its slots while all is well, fewer after what they need ran short.
 * Decreases by half, increases by small steps; after it had to stop altogether, after an outage of Redis, and where it starts
 * with little room it begins with a tenth and doubles every five seconds. Never stands still for good: without attempts there is room for one.
 */
export class ConcurrencyLimit {
  readonly #slots: number;
  #limit: number;
  #decreasedAtMs = Number.NEGATIVE_INFINITY;
  #increasedAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #slowStart: boolean;
  #outageAtMs = Number.NEGATIVE_INFINITY;
  /** Attempts from before an outage that are still under way: they count beside the limit. */
  #carried = 0;

  constructor(slots: number, { slowStart = false }: { slowStart?: boolean } = {}) {
    this.#slots = slots;
    this.#slowStart = slowStart;
    this.#limit = slowStart ? this.#first() : slots;
  }

  get slots(): number {
    return this.#slots;
  }

  get limit(): number {
    return Math.min(this.#slots, this.#limit + this.#carried);
  }

  /**
   * What was seen now; `taken` is the number of attempts under way, `share` how much of the memory they and the rest use;
   * `carried` how many of them are from before the last outage. Call it several times a second.
   */
  observe(pressure: Pressure, taken: number, nowMs: number, share = 0, carried = 0): void {
    this.#carried = this.#slowStart && nowMs - this.#outageAtMs >= CARRIED_AFTER_MS ? Math.min(carried, taken) : 0;
    if (pressure === 'much') {
      this.#stopped = true;
      this.#carried = 0;
      this.#limit = taken === 0 ? 1 : 0;
    } else if (this.#stopped) {
      this.#limit = 1;
      if (pressure === 'none') this.#beginSlowly(nowMs);
    } else if (pressure === 'some') this.#decrease(taken, nowMs);
    else this.#increase(taken - this.#carried, nowMs, share);
  }

  /** An attempt, or the worker itself, could not get what it needed (`resource_exhausted`). */
  exhausted(taken: number, nowMs: number): void {
    if (!this.#stopped) this.#decrease(taken, nowMs);
  }

  /** Redis does not answer, as seen now: when it is back, all that waited for it must not begin at once. */
  outage(nowMs: number): void {
    if (this.#stopped) return;
    this.#limit = Math.min(this.#limit, this.#first());
    this.#slowStart = this.#limit < this.#slots;
    this.#carried = 0;
    this.#outageAtMs = nowMs;
    this.#increasedAtMs = nowMs;
  }

  #decrease(taken: number, nowMs: number): void {
    if (nowMs - this.#decreasedAtMs < DECREASE_EVERY_MS) return;
    this.#decreasedAtMs = nowMs;
    this.#increasedAtMs = nowMs;
    this.#slowStart = false;
    const least = Math.min(this.limit, Math.max(1, taken));
    this.#carried = 0;
    this.#limit = Math.max(1, Math.floor(least * DECREASE_FACTOR));
  }

  #beginSlowly(nowMs: number): void {
    this.#stopped = false;
    this.#slowStart = true;
    this.#increasedAtMs = nowMs;
    this.#limit = this.#first();
  }

  #increase(taken: number, nowMs: number, share: number): void {
    if (this.#limit >= this.#slots) {
      this.#slowStart = false;
      return;
    }
    if (this.#increasedAtMs === Number.NEGATIVE_INFINITY) this.#increasedAtMs = nowMs;
    if (taken < this.#limit * USED_SHARE) return;
    if (nowMs - this.#increasedAtMs < (this.#slowStart ? SLOW_START_DOUBLES_EVERY_MS : INCREASE_EVERY_MS)) return;
    this.#increasedAtMs = nowMs;
    const step = this.#slowStart ? this.#limit : Math.max(1, Math.floor(this.#slots * INCREASE_SHARE));
    // As if all of the memory were theirs: more attempts than would fill it then are not begun in one step.
    const fits = share === 0 ? Number.POSITIVE_INFINITY : Math.floor((taken * FULL_SHARE) / share);
    this.#limit = Math.max(this.#limit, Math.min(this.#slots, this.#limit + step, fits));
  }

  #first(): number {
    return Math.max(1, Math.ceil(this.#slots * SLOW_START_SHARE));
  }
}

/** What a worker measured of itself. Bytes, milliseconds. */
export interface Resources {
  heapUsed: number;
  heapLimit: number;
  rss: number;
  /** What the machine or container has; undefined: not known. */
  memoryLimit: number | undefined;
  /** How late a timer came. */
  loopLagMs: number;
  /** Share of the time since the last measurement in which this process computed, 0 to 1 and more with threads. */
  cpuShare: number;
}

const HEAP_SOME = 0.65;
const HEAP_MUCH = 0.85;
const RSS_SOME = 0.8;
const RSS_MUCH = 0.9;
const LAG_SOME_MS = 1000;
/** Below it the loop was late because others had the processor: fewer attempts would change nothing. */
const OWN_CPU_SHARE = 0.5;
/** With less heap than this a slot, a worker begins with a few and finds out. */
const HEAP_A_SLOT_BYTES = 16 * 1024 * 1024;

/** How short the worker is, and of what. */
export function judgePressure(seen: Resources): { pressure: Pressure; of: string; share: number } {
  const heap = seen.heapUsed / seen.heapLimit;
  const rss = seen.memoryLimit === undefined ? 0 : seen.rss / seen.memoryLimit;
  const share = Math.max(heap, rss);
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  if (heap >= HEAP_MUCH) return { pressure: 'much', of: `heap ${percent(heap)}`, share };
  if (rss >= RSS_MUCH) return { pressure: 'much', of: `memory ${percent(rss)}`, share };
  if (heap >= HEAP_SOME) return { pressure: 'some', of: `heap ${percent(heap)}`, share };
  if (rss >= RSS_SOME) return { pressure: 'some', of: `memory ${percent(rss)}`, share };
  if (seen.loopLagMs >= LAG_SOME_MS && seen.cpuShare >= OWN_CPU_SHARE) {
    return { pressure: 'some', of: `event loop ${Math.round(seen.loopLagMs)} ms late`, share };
  }
  return { pressure: 'none', of: '', share };
}

/** True when so many attempts might not fit into the heap: then the limit is found from below. */
export function mayBeStarved(slots: number, heapLimit: number): boolean {
  return heapLimit / slots < HEAP_A_SLOT_BYTES;
}
