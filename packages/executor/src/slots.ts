/** How many attempts a worker makes at once. Taking is synchronous, so that two tasks never share a slot. */
export class Slots {
  readonly #size: number;
  #taken = 0;
  readonly #holders: Holder[] = [];
  #free: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  get taken(): number {
    return this.#taken;
  }

  get free(): number {
    return this.#size - this.#taken;
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
