/** What slots did in so short a time they are taken to do once more. Far below the executor's patience with those who wait for one. */
const LOOK_BACK_MS = 8;
/**
 * Who held a slot for longer tells nothing of when the next one comes free: what took its place is as long, and whoever waited
 * for that would run out of patience.
 */
const SHORT_HOLD_MS = 30;

/** How many attempts a worker makes at once. Taking is synchronous, so that two tasks never share a slot. */
export class Slots {
  readonly #size: number;
  #taken = 0;
  readonly #limits = new Map<string, number>();
  #limit: number;
  readonly #holders: Holder[] = [];
  readonly #turnover: ReleaseRate;
  /** Of those who wait to fetch a task: how many steps it may have. */
  #room: { promise: Promise<void>; resolve: () => void; steps: number } | undefined;

  /** Called when the last slot that may be taken is, though there are more. */
  onLimitReached: () => void = () => undefined;

  constructor(size: number, nowMs: () => number = () => performance.now()) {
    this.#size = size;
    this.#limit = size;
    this.#turnover = new ReleaseRate(LOOK_BACK_MS, nowMs);
  }

  get size(): number {
    return this.#size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How many may be taken now: the size, or the least of the limits that are set. */
  get limit(): number {
    return this.#limit;
  }

  get free(): number {
    return Math.max(0, this.#limit - this.#taken);
  }

  /** Free ones that nobody who holds a task waits for. */
  get unclaimed(): number {
    return Math.max(0, this.free - this.#holders.length);
  }

  /**
   * Lowers how many may be taken for a reason of that name; Infinity lifts it. What is taken beyond it stays until it is
   * released.
   */
  limitTo(reason: string, most: number): void {
    if (most >= this.#size) this.#limits.delete(reason);
    else this.#limits.set(reason, Math.max(0, Math.floor(most)));
    const before = this.#limit;
    this.#limit = Math.min(this.#size, ...this.#limits.values());
    // As many do not come free for others any more.
    if (this.#limit < before) this.#turnover.forget();
    this.#wake();
  }

  /** Takes up to `wanted` slots; answers how many. */
  take(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.free));
    this.#taken += granted;
    if (granted > 0) this.#noteLimit();
    return granted;
  }

  /** Told how long it was held; by default for long. */
  release(heldMs = Number.POSITIVE_INFINITY): void {
    this.#taken -= 1;
    // What is released beyond the limit comes to nobody's use.
    if (this.free > 0 && heldMs <= SHORT_HOLD_MS) this.#turnover.count();
    this.#wake();
  }

  /**
   * Resolves when a task of about so many steps may be fetched: a slot is free and nobody who holds a task waits for it, or
   * slots come free so fast that all of its steps, behind those that wait, will have theirs in a moment; fetched only when
   * slots stand empty, a task of tiny steps would keep them empty for as long as it is under way. All who wait share one
   * promise.
   */
  whenRoom(steps: number): Promise<void> {
    if (this.#hasRoomFor(steps)) return Promise.resolve();
    this.#room ??= { ...Promise.withResolvers<void>(), steps };
    this.#room.steps = Math.max(this.#room.steps, steps);
    return this.#room.promise;
  }

  /**
   * Takes a slot as soon as one is free, in order of asking and before new tasks are fetched; false after `patienceMs`.
   */
  takeWithin(patienceMs: number): Promise<boolean> {
    if (this.#holders.length === 0 && this.take(1) === 1) return Promise.resolve(true);
    return new Promise((resolve) => {
      const holder = { resolve, timer: setTimeout(() => this.#giveUp(holder), patienceMs) };
      this.#holders.push(holder);
    });
  }

  #wake(): void {
    while (this.free > 0) {
      const holder = this.#holders.shift();
      if (holder === undefined) break;
      clearTimeout(holder.timer);
      this.#taken += 1;
      this.#noteLimit();
      holder.resolve(true);
    }
    if (this.#room !== undefined && this.#hasRoomFor(this.#room.steps)) {
      this.#room.resolve();
      this.#room = undefined;
    }
  }

  #noteLimit(): void {
    if (this.#taken >= this.#limit && this.#limit < this.#size) this.onLimitReached();
  }

  #hasRoomFor(steps: number): boolean {
    if (this.free > 0 && this.#holders.length === 0) return true;
    return this.#holders.length + steps <= this.#turnover.recent();
  }

  #giveUp(holder: Holder): void {
    const index = this.#holders.indexOf(holder);
    if (index < 0) return;
    this.#holders.splice(index, 1);
    holder.resolve(false);
    this.#wake();
  }
}

interface Holder {
  resolve: (granted: boolean) => void;
  timer: NodeJS.Timeout;
}

/** Counts, and tells how many there were of late: at least in the second half of the time that it looks back, at most in all of it. */
class ReleaseRate {
  readonly #halfMs: number;
  readonly #nowMs: () => number;
  #startedAt = Number.NEGATIVE_INFINITY;
  #before = 0;
  #since = 0;

  constructor(lookBackMs: number, nowMs: () => number) {
    this.#halfMs = lookBackMs / 2;
    this.#nowMs = nowMs;
  }

  count(): void {
    this.#turn();
    this.#since += 1;
  }

  recent(): number {
    this.#turn();
    return this.#before + this.#since;
  }

  forget(): void {
    this.#before = 0;
    this.#since = 0;
  }

  #turn(): void {
    const now = this.#nowMs();
    const passedMs = now - this.#startedAt;
    if (passedMs < this.#halfMs) return;
    this.#before = passedMs < 2 * this.#halfMs ? this.#since : 0;
    this.#since = 0;
    this.#startedAt = now;
  }
}
