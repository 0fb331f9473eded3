import type { Plan } from '@flotilla/engine';
import {
  DUE,
  FIELD,
  PREFIX,
  parseRunMeta,
  parseStepHeader,
  RUN,
  STEP,
  type State,
  type StepAddress,
  stateKey,
} from '@flotilla/state';
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
  readonly #client: State<Plan>['client'];
  /** Steps that were held back and have been handed out since; when that was nobody knows. Forgetting one costs it more time. */
  readonly #released = new LRUCache<string, true>({ max: 10_000, ttl: 3_600_000 });

  constructor({ client }: Pick<State<Plan>, 'client'>) {
    this.#client = client;
  }

  /** Answers when the time that has just passed is to be looked at again, on Redis' clock; undefined when it counts. */
  async putOffUntil({ tag, runId, key }: StepAddress, queuedMs: number): Promise<number | undefined> {
    const run = stateKey(tag, 'run', runId);
    const member = `${key}|${runId}`;
    const [[packed, resumedAt, stored], parkedUntil, [seconds]] = await Promise.all([
      this.#client.hmget(run, FIELD.meta, FIELD.resumedAt, PREFIX.header + key),
      this.#client.zscore(stateKey(tag, 'due'), `${DUE.parked}|${member}`),
      this.#client.time(),
    ]);
    if (packed == null) return undefined;
    const { letter, createdAt } = parseRunMeta(packed);
    const now = Number(seconds) * 1000;
    if (letter === RUN.paused) return now + Math.min(MAX_PAUSED_LOOK_MS, Math.max(MIN_PAUSED_LOOK_MS, queuedMs));
    const freeAt = [resumedAt == null ? Number.NEGATIVE_INFINITY : createdAt + Number(resumedAt)];
    const header = stored == null ? undefined : parseStepHeader(stored, createdAt);
    if (header?.state === STEP.parked && IS_HELD_BACK.test(header.reason ?? '')) {
      if (parkedUntil !== null) freeAt.push(Number(parkedUntil));
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
    await this.#client.zadd(stateKey(tag, 'due'), 'XX', at, `${DUE.queuedLimit}|${key}|${runId}`);
  }
}
