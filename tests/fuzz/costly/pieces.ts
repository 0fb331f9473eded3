const MAX_PIECE_MS = 250;
const MAX_HEAP_BYTES = 256 * 1_048_576;
/** Asking how large the heap is takes time, too. */
const PIECES_A_LOOK = 200;

/** Measures work in the pieces in which it holds the event loop: processor time of this thread, and what the heap grows by. */
export class Pieces {
  worstMs = 0;
  worstHeapBytes = 0;
  readonly #heapBefore: number;
  #pieces = 0;

  constructor() {
    globalThis.gc?.();
    this.#heapBefore = process.memoryUsage().heapUsed;
  }

  measure<Result>(work: () => Result): Result {
    const before = process.threadCpuUsage();
    try {
      return work();
    } finally {
      const { user, system } = process.threadCpuUsage(before);
      this.worstMs = Math.max(this.worstMs, (user + system) / 1000);
    }
  }

  runToEnd<Result>(pieces: Iterator<void, Result>): Result {
    for (;;) {
      const piece = this.measure(() => pieces.next());
      this.#pieces += 1;
      if (this.#pieces % PIECES_A_LOOK === 0) this.look();
      if (piece.done === true) return piece.value;
    }
  }

  look(): void {
    this.worstHeapBytes = Math.max(this.worstHeapBytes, process.memoryUsage().heapUsed - this.#heapBefore);
  }

  /** Garbage that nobody has collected yet is not what the work took. */
  get holdsTooMuch(): boolean {
    if (this.worstHeapBytes <= MAX_HEAP_BYTES) return false;
    globalThis.gc?.();
    return process.memoryUsage().heapUsed - this.#heapBefore > MAX_HEAP_BYTES;
  }

  get timedOut(): boolean {
    return this.worstMs > MAX_PIECE_MS;
  }
}
