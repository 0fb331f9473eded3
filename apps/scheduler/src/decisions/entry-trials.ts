import type { Plan } from '@flotilla/engine';
import { OneAtATime, type State, type TrialMarks } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';

/** An outbox or due entry whose readers have gone without finishing it. */
export interface SuspectEntry {
  tag: string;
  /** As it stands in the outbox or the due index. */
  name: string;
  /** Undefined of an entry about a channel. */
  runId: string | undefined;
  /** Of the step or cleanup that it is about. */
  key: string | undefined;
}

/** Readers that an entry may have cost before it is carried out alone: with that trial three have died. */
export const READERS_BEFORE_TRIAL = 2;

/**
 * Carries out entries that may have ended the schedulers that read them: one after the other, each marked meanwhile. Where a
 * scheduler dies under the mark, the entry and nothing else has done it: whoever reads it next sets it aside and fails its run.
 */
export class EntryTrials {
  readonly #state: State<Plan>;
  readonly #logger: Logger;
  readonly #marks: TrialMarks;
  readonly #turns = new OneAtATime();

  constructor(state: State<Plan>, schedulerId: string, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
    this.#marks = state.trialMarks(schedulerId);
  }

  /** The result of `work`; undefined when the entry was set aside instead. */
  async carryOut<Result>(entry: SuspectEntry, work: () => Promise<Result>): Promise<Result | undefined> {
    const leave = await this.#turns.enter();
    const { tag, name } = entry;
    try {
      const diedUnderIt = await this.#marks.begin(tag, name);
      if (diedUnderIt === undefined) return await this.#tryOut(entry, work);
      await this.#setAside(entry, diedUnderIt);
      await this.#marks.end(tag, name);
      return undefined;
    } finally {
      leave();
    }
  }

  /** However it ends, this process has survived it. */
  async #tryOut<Result>({ tag, name }: SuspectEntry, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } finally {
      await this.#marks.end(tag, name);
    }
  }

  async #setAside({ name, runId, key }: SuspectEntry, scheduler: string): Promise<void> {
    const deaths = READERS_BEFORE_TRIAL + 1;
    const entry = name.slice(0, 1);
    this.#logger.error(
      { runId, key, entry, deaths, scheduler },
      'an entry has ended the schedulers that read it; it is set aside, and its run, or cleanup, is failed',
    );
    if (runId !== undefined) await this.#state.setAside({ runId, key }, { entry, deaths, scheduler });
  }
}
