/** How many attempts a worker makes at once. Taking is synchronous, so that two tasks never share a slot. */
export class Slots {
  readonly #size: number;
  #taken = 0;
  readonly #limits = new Map<string, number>();
  #limit: number;
  readonly #holders: Holder[] = [];
  #free: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(size: number) {
    this.#size = size;
    this.#limit = size;
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
    this.#limit = Math.min(this.#size, ...this.#limits.values());
    this.#wake();
  }

  /** Takes up to `wanted` slots; answers how many. */
  take(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.free));
    this.#taken += granted;
    return granted;
  }

  release(): void {
    this.#taken -= 1;
    this.#wake();
  }

  /** Resolves when a slot is free and nobody who holds a task waits for it; all who wait share one promise. */
  whenFree(): Promise<void> {
    if (this.free > 0 && this.#holders.length === 0) return Promise.resolve();
    this.#free ??= Promise.withResolvers<void>();
    return this.#free.promise;
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
      holder.resolve(true);
    }
    if (this.free > 0) {
      this.#free?.resolve();
      this.#free = undefined;
    }
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
