const LOOK_EVERY_MS = 250;
const ASK_EVERY_MS = 500;
/** A shorter silence is none that work piles up in. */
const AWAY_AFTER_MS = 2000;
/** After the own event loop stood still, an answer may only wait to be read: the next look tells. */
const LATE_LOOKS = 2;

/** Notices when Redis has not served this process for a while: it asks twice a second, one question at a time. */
export class OutageWatch {
  readonly #ask: () => Promise<unknown>;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Since when nothing has been answered that was asked; monotonic. */
  #unansweredSince: number | undefined;
  #lateLooks = 0;

  /** `ask` resolves when Redis has answered, however long that takes. */
  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }

  get isAway(): boolean {
    return this.#lateLooks >= LATE_LOOKS;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(performance.now()), LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Called by the timer, four times a second. */
  look(nowMs: number): void {
    const isLate = this.#unansweredSince !== undefined && nowMs - this.#unansweredSince >= AWAY_AFTER_MS;
    this.#lateLooks = isLate ? this.#lateLooks + 1 : 0;
    if (this.#isAsking || nowMs - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = nowMs;
    this.#unansweredSince ??= nowMs;
    void this.#question();
  }

  async #question(): Promise<void> {
    this.#isAsking = true;
    try {
      await this.#ask();
      this.#unansweredSince = undefined;
      this.#lateLooks = 0;
    } catch {
      // No answer: what the error says is told by whoever needs one.
    } finally {
      this.#isAsking = false;
    }
  }
}
