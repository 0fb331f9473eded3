/** Lets one in after the other, in the order in which they came: for work that takes much memory. */
export class OneAtATime {
  #last: Promise<void> = Promise.resolve();

  /** Waits for those who came before; answers what lets the next one in. */
  async enter(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = before.then(() => promise);
    await before;
    return resolve;
  }
}
