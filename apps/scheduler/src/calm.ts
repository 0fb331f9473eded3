import { RECHECK_MS } from './decisions/dispatch-steps.ts';

/** Steps that were handed out and not claimed are due within this time, and their attempts may put in sooner timers. */
const SOON_MS = RECHECK_MS;
/** What was handed out by then is in the due index or under way, where the next look finds it. */
const UNREST_MS = 2000;

/** What one look at the due index of one partition saw. */
export interface CalmLook {
  nextInMs: number | undefined;
  lookedAt: number;
  hasAttempts: boolean;
}

/**
 * Whether anything can happen in the next seconds, as far as this scheduler knows: while nothing can, its loops look less
 * often, and an idle deployment costs Redis little.
 *
 * It is calm when a look at all partitions found (1) nothing due, (2) nothing due soon, which leaves out steps that were
 * handed out, (3) no attempt under way, which may ask for a retry in a moment; and (4) this scheduler has read nothing from
 * an outbox lately. What comes after that comes through an outbox, and whoever reads it ends the calm of its own loops.
 * Should that one die at that moment, the others find its timers as late as their calm interval.
 */
export class Calm {
  /** Called when work comes after a calm: loops that sleep look again. */
  onEnd: (() => void) | undefined;
  #isCalm = false;
  #lastWorkAt = performance.now();

  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** Work was read from an outbox. */
  end(): void {
    this.#lastWorkAt = performance.now();
    if (!this.#isCalm) return;
    this.#isCalm = false;
    this.onEnd?.();
  }

  /** Takes what a turn saw in all partitions. */
  judge(looks: readonly CalmLook[]): void {
    this.#isCalm =
      performance.now() - this.#lastWorkAt > UNREST_MS &&
      looks.every(({ nextInMs, lookedAt, hasAttempts }) => {
        return lookedAt === 0 && !hasAttempts && (nextInMs === undefined || nextInMs > SOON_MS);
      });
  }
}
