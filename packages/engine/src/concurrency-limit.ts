import type { Pressure } from './judge-pressure.ts';

/** After a decrease the next one waits this long: the attempts that are allowed to end must show first. */
const DECREASE_EVERY_MS = 1000;
const DECREASE_FACTOR = 0.5;
/** Of the number of attempts at which something ran short: up to here the limit comes back at once, from here carefully. */
const SAFE_SHARE = 0.75;
const SAFE_INCREASE_EVERY_MS = 250;
const INCREASE_EVERY_MS = 500;
/** Of the slots, at least one; each further increase that does no harm is twice as large. */
const INCREASE_SHARE = 0.02;
/** The limit grows only while this much of it is used: what was not tried is not known to fit. */
const USED_SHARE = 0.7;
/** Of what is measured (heap, memory, handles): as far as growth may lead. */
const FULL_SHARE = 0.8;
/** From one measurement to the next, however little the attempts use. */
const MEASURED_GROWTH_FACTOR = 8;
/** The same after the worker had to stop: what it ran out of came later than the measurement that said it was fine. */
const CAREFUL_GROWTH_FACTOR = 2;
const CAREFUL_GROWTH_EVERY_MS = 500;
const SLOW_START_SHARE = 0.1;
const SLOW_START_DOUBLES_EVERY_MS = 5000;
/** After an outage: until then attempts that have ended meanwhile report it, and what is left is really under way. */
const CARRIED_AFTER_MS = 1000;

/** What was seen at one moment. */
export interface Load {
  pressure: Pressure;
  /** Slots that are taken. */
  taken: number;
  /** Of those, the attempts that have begun and so show in what is measured. Default: all. */
  begun?: number;
  /** How much they and the rest of the process use of what is shortest, 0 to 1. Default 0: not known. */
  share?: number;
  /** The event loop is late because of this process: growth waits. */
  isLate?: boolean;
  /** How many of the attempts are from before the last outage. */
  carried?: number;
}

/**
 * Why the limit is below the slots, and so how it grows. `measured`: nothing is known yet. `careful`: it had to stop. `recovering`:
 * something ran short. `outage`: Redis was away.
 */
type Growth = 'measured' | 'careful' | 'recovering' | 'outage';

/**
 * How many attempts a worker may make at once: its slots while all is well, fewer after what they need ran short. What attempts
 * are seen to use decides: it grows as fast as that allows. Decreases by half, comes back quickly to three quarters of where it
 * hurt and from there by growing steps. After an outage of Redis it begins with a tenth and doubles every five seconds. Never
 * stands still for good: without attempts there is room for one.
 */
export class ConcurrencyLimit {
  readonly #slots: number;
  #limit: number;
  #growth: Growth = 'measured';
  #decreasedAtMs = Number.NEGATIVE_INFINITY;
  #increasedAtMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  /** At the last look the limit was in use by attempts that had begun: since then they had time to take what they need. */
  #wasInUse = false;
  #safeLimit = 0;
  #increase = 1;
  #outageAtMs = Number.NEGATIVE_INFINITY;
  /** Attempts from before an outage that are still under way: they count beside the limit. */
  #carried = 0;

  /** `first`: how many may begin before anything is known of what they use. Default: all. */
  constructor(slots: number, first = slots) {
    this.#slots = slots;
    this.#limit = Math.max(1, Math.min(slots, first));
  }

  get slots(): number {
    return this.#slots;
  }

  get limit(): number {
    return Math.min(this.#slots, this.#limit + this.#carried);
  }

  /** Call it several times a second, and soon after the limit is reached. */
  observe(load: Load, nowMs: number): void {
    const { pressure, taken, carried = 0 } = load;
    const knowsCarried = this.#growth === 'outage' && nowMs - this.#outageAtMs >= CARRIED_AFTER_MS;
    this.#carried = knowsCarried ? Math.min(carried, taken) : 0;
    if (pressure === 'much') {
      this.#isStopped = true;
      this.#carried = 0;
      this.#limit = taken === 0 ? 1 : 0;
    } else if (this.#isStopped) {
      this.#limit = 1;
      if (pressure === 'none') this.#beginCarefully(nowMs);
    } else if (pressure === 'some') this.#decrease(taken, nowMs);
    else this.#grow(load, nowMs);
  }

  /** An attempt, or the worker itself, could not get what it needed (`resource_exhausted`). */
  exhausted(taken: number, nowMs: number): void {
    if (!this.#isStopped) this.#decrease(taken, nowMs);
  }

  /** Redis does not answer, as seen now: when it is back, all that waited for it must not begin at once. */
  outage(nowMs: number): void {
    if (this.#isStopped) return;
    this.#limit = Math.min(this.#limit, this.#tenth());
    if (this.#limit < this.#slots) this.#growth = 'outage';
    this.#carried = 0;
    this.#outageAtMs = nowMs;
    this.#increasedAtMs = nowMs;
  }

  #decrease(taken: number, nowMs: number): void {
    if (nowMs - this.#decreasedAtMs < DECREASE_EVERY_MS) return;
    this.#decreasedAtMs = nowMs;
    this.#increasedAtMs = nowMs;
    const least = Math.min(this.limit, Math.max(1, taken));
    this.#growth = 'recovering';
    this.#carried = 0;
    this.#wasInUse = false;
    this.#increase = 1;
    this.#safeLimit = Math.floor(least * SAFE_SHARE);
    this.#limit = Math.max(1, Math.floor(least * DECREASE_FACTOR));
  }

  #beginCarefully(nowMs: number): void {
    this.#isStopped = false;
    this.#growth = 'careful';
    this.#wasInUse = false;
    this.#increasedAtMs = nowMs;
    this.#limit = this.#tenth();
  }

  #grow(load: Load, nowMs: number): void {
    if (this.#limit >= this.#slots) return;
    if (this.#increasedAtMs === Number.NEGATIVE_INFINITY) this.#increasedAtMs = nowMs;
    const own = (attempts: number) => Math.max(0, attempts - this.#carried);
    const used = this.#limit * USED_SHARE;
    const wasInUse = this.#wasInUse;
    const begun = own(load.begun ?? load.taken);
    this.#wasInUse = begun >= used;
    if (own(load.taken) < used) return;
    const next = this.#nextLimit(load, wasInUse && this.#wasInUse, nowMs);
    // As if all of what is used were theirs: more attempts than would fill the rest are not begun in one step.
    const fits =
      load.share === undefined || load.share === 0
        ? Number.POSITIVE_INFINITY
        : Math.floor((begun * FULL_SHARE) / load.share);
    const limit = Math.min(this.#slots, next, fits);
    if (limit <= this.#limit) return;
    this.#limit = limit;
    this.#increasedAtMs = nowMs;
    this.#wasInUse = false;
    if (this.#growth === 'recovering' && limit > this.#safeLimit) this.#increase *= 2;
  }

  /** What the limit would be if there were enough of everything; `isKnown`: what its attempts use has been measured. */
  #nextLimit({ isLate = false }: Load, isKnown: boolean, nowMs: number): number {
    const limit = this.#limit;
    const isDue = (everyMs: number) => nowMs - this.#increasedAtMs >= everyMs;
    if (this.#growth === 'outage') return isDue(SLOW_START_DOUBLES_EVERY_MS) ? limit * 2 : limit;
    if (this.#growth === 'measured' && isKnown && !isLate) return limit * MEASURED_GROWTH_FACTOR;
    if (this.#growth === 'careful' && isKnown && !isLate && isDue(CAREFUL_GROWTH_EVERY_MS)) {
      return limit * CAREFUL_GROWTH_FACTOR;
    }
    if (this.#growth === 'recovering' && limit < this.#safeLimit) {
      return isDue(SAFE_INCREASE_EVERY_MS) ? this.#safeLimit : limit;
    }
    if (!isDue(INCREASE_EVERY_MS)) return limit;
    return limit + Math.max(1, Math.floor(this.#slots * INCREASE_SHARE)) * this.#increase;
  }

  #tenth(): number {
    return Math.max(1, Math.ceil(this.#slots * SLOW_START_SHARE));
  }
}
