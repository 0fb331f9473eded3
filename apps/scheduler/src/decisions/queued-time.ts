import type { Plan } from '@flotilla/engine';
import { STEP, type State, type StepAddress } from '@flotilla/state';
import { LRUCache } from 'lru-cache';

/** While its run is paused, a step's queued time is looked at again this often at most. */
const MAX_PAUSED_LOOK_MS = 10_000;
const MIN_PAUSED_LOOK_MS = 1000;
/** Reasons of parked steps that wait for something else than a worker that takes them. */
const IS_HELD_BACK = /^(?:breaker:.*|storage|own-process)$/;

/**
 * `queuedMs` ends the wait for a worker. It does not run while a step may not start at all: while its run is paused, or while it
 * is held back by an open breaker, a full Redis or the want of a process of its own. It begins anew when that is over.
 */
export class QueuedTime {
  readonly #state: State<Plan>;
  /** Steps that were held back and have been handed out since; when that was nobody knows. Forgetting one costs it more time. */
  readonly #released = new LRUCache<string, true>({ max: 10_000, ttl: 3_600_000 });

  constructor(state: State<Plan>) {
    this.#state = state;
  }

  /** Answers when the time that has just passed is to be looked at again, on Redis' clock; undefined when it counts. */
  async putOffUntil({ tag, runId, key }: StepAddress, queuedMs: number): Promise<number | undefined> {
    const member = `${key}|${runId}`;
    const found = await this.#state.run(runId, tag).readQueuedTime(key);
    if (found === undefined) return undefined;
    const { now, header, parkedUntil, resumedAt, isPaused } = found;
    if (isPaused) return now + Math.min(MAX_PAUSED_LOOK_MS, Math.max(MIN_PAUSED_LOOK_MS, queuedMs));
    const freeAt = [resumedAt ?? Number.NEGATIVE_INFINITY];
    if (header?.state === STEP.parked && IS_HELD_BACK.test(header.reason ?? '')) {
      if (parkedUntil !== undefined) freeAt.push(parkedUntil);
      else if (!this.#released.has(member)) {
        this.#released.set(member, true);
        freeAt.push(now);
      }
    }
    const limitAt = Math.max(...freeAt) + queuedMs;
    return limitAt > now ? limitAt : undefined;
  }

  /** Sets the timer again, unless an attempt has ended it meanwhile. */
  async setLimit({ tag, runId, key }: StepAddress, at: number): Promise<void> {
    await this.#state.run(runId, tag).putOffQueuedLimit(key, at);
  }
}
