import { OneAtATime } from './one-at-a-time.ts';

/** How long pieces of work may hold the event loop one after the other before everybody else gets a turn. */
const TURN_MS = 10;

/**
 * Shares the event loop between pieces of synchronous work of any number of callers. A piece that finds the present turn used
 * up waits for one of the next, each of which takes one waiting piece: so sixty-four evaluations that became possible at the
 * same moment do not add up. A piece itself cannot be interrupted: who calls keeps it short.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];
  readonly #large = new OneAtATime();
  #spentMs = 0;
  #isNextTurnAskedFor = false;

  /** Runs the work in this turn of the event loop or in a later one. */
  async run<Result>(work: () => Result): Promise<Result> {
    if (this.#spentMs >= TURN_MS || this.#waiting.length > 0) await this.#nextTurn();
    return this.#measure(work);
  }

  /**
   * Runs work that comes in pieces, with turns for others between them. Work that takes more than one turn is large, and
   * is done one after the other: what twenty callers ask for at once does not have to be in memory at once.
   */
  async runPieces<Result>(pieces: Iterator<void, Result>): Promise<Result> {
    const piece = await this.#runTurn(pieces);
    if (piece.done === true) return piece.value;
    const leave = await this.#large.enter();
    try {
      for (;;) {
        const next = await this.#runTurn(pieces);
        if (next.done === true) return next.value;
      }
    } finally {
      leave();
    }
  }

  #runTurn<Result>(pieces: Iterator<void, Result>): Promise<IteratorResult<void, Result>> {
    return this.run(() => {
      const endsAt = performance.now() + TURN_MS;
      let next = pieces.next();
      while (next.done !== true && performance.now() < endsAt) next = pieces.next();
      return next;
    });
  }

  #measure<Result>(work: () => Result): Result {
    const startedAt = performance.now();
    this.#askForNextTurn();
    try {
      return work();
    } finally {
      this.#spentMs += performance.now() - startedAt;
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#askForNextTurn();
    });
  }

  #askForNextTurn(): void {
    if (this.#isNextTurnAskedFor) return;
    this.#isNextTurnAskedFor = true;
    setImmediate(() => {
      this.#isNextTurnAskedFor = false;
      this.#spentMs = 0;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#askForNextTurn();
    });
  }
}

/** Of the process: there is one event loop. */
export const loopTurns = new LoopTurns();
