/** How many attempts a worker makes at once. Taking is synchronous, so that two tasks never share a slot. */
export class Slots {
  readonly #size: number;
  #taken = 0;
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
    this.#free?.resolve();
    this.#free = undefined;
  }

  /** Resolves when a slot is free; all who wait share one promise. */
  whenFree(): Promise<void> {
    if (this.free > 0) return Promise.resolve();
    this.#free ??= Promise.withResolvers<void>();
    return this.#free.promise;
  }
}
