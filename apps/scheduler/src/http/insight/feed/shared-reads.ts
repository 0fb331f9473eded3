/** Reads that all streams of this process share: one is made at a time, and its answer serves whoever asks within its age. */
export class SharedReads {
  readonly #kept = new Map<string, { at: number; answer: Promise<unknown> }>();
  readonly #maxEntries: number;

  constructor(maxEntries = 100) {
    this.#maxEntries = maxEntries;
  }

  read<Value>(name: string, maxAgeMs: number, read: () => Promise<Value>): Promise<Value> {
    const known = this.#kept.get(name);
    if (known !== undefined && performance.now() - known.at < maxAgeMs) return known.answer as Promise<Value>;
    const answer = read();
    this.#kept.delete(name);
    this.#kept.set(name, { at: performance.now(), answer });
    // One that failed serves nobody else.
    answer.catch(() => this.#kept.delete(name));
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#maxEntries && oldest !== undefined) this.#kept.delete(oldest);
    return answer;
  }
}
