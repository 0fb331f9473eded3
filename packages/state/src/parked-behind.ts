import type { RedisClient } from '@flotilla/redis';
import { DUE } from './format.ts';
import { stateKey } from './keys.ts';

/** A parked step's entry that has been due for longer is none: it runs, or has ended. */
const OVERDUE_MS = 5000;
/** Entries of one partition that are looked at to find a step that still waits. */
const MAX_CANDIDATES = 10;
/** Steps of one partition that are brought forward at once; more than that come back over minutes anyway. */
const MAX_BROUGHT_BACK = 1000;

/**
 * The steps that one breaker keeps parked, in the order in which they would be looked at. A step whose own call has failed
 * stands behind those that have not called yet, so that it is not the next trial again.
 */
export class ParkedBehind {
  readonly #client: RedisClient;
  readonly #tags: readonly string[];
  readonly #name: string;

  constructor(client: RedisClient, tags: readonly string[], name: string) {
    this.#client = client;
    this.#tags = tags;
    this.#name = name;
  }

  /** `now`: Redis' clock, here and below. */
  async count(now: number): Promise<number> {
    const counts = await Promise.all(
      this.#tags.map((tag) => this.#client.zcount(this.#keyOf(tag), now - OVERDUE_MS, '+inf')),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Has the next steps looked at now: one of them tests the way back. */
  async wakeNext(now: number, count: number): Promise<void> {
    const found = await Promise.all(this.#tags.map((tag) => this.#candidates(tag, now)));
    const inOrder = found.flat().sort((a, b) => a.lookAgainAt - b.lookAgainAt);
    let woken = 0;
    for (const { tag, member } of inOrder) {
      if (woken === count) return;
      const due = stateKey(tag, 'due');
      const dueAt = await this.#client.zscore(due, `${DUE.parked}|${member}`);
      // It has been taken, or has ended, since it was parked.
      if (dueAt === null) continue;
      await this.#client.zadd(due, 'XX', 'LT', now, `${DUE.parked}|${member}`);
      woken += 1;
    }
  }

  /** The dependency is back: nobody waits longer than the others, whatever has kept him waiting so far. */
  async bringBack(now: number, overMs: number): Promise<void> {
    await Promise.all(
      this.#tags.map(async (tag) => {
        const late = await this.#client.zrangebyscore(
          this.#keyOf(tag),
          now + overMs,
          '+inf',
          'LIMIT',
          0,
          MAX_BROUGHT_BACK,
        );
        if (late.length === 0) return;
        const entries = late.flatMap((member, index) => [
          Math.ceil(now + (overMs * (index + 0.5)) / late.length),
          `${DUE.parked}|${member}`,
        ]);
        await this.#client.zadd(stateKey(tag, 'due'), 'XX', 'LT', ...entries);
      }),
    );
  }

  async #candidates(tag: string, now: number) {
    const [key, from] = [this.#keyOf(tag), now - OVERDUE_MS];
    const found = await this.#client.zrangebyscore(key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, MAX_CANDIDATES);
    const candidates: { tag: string; member: string; lookAgainAt: number }[] = [];
    for (let index = 0; index + 1 < found.length; index += 2) {
      candidates.push({ tag, member: found[index] ?? '', lookAgainAt: Number(found[index + 1]) });
    }
    return candidates;
  }

  #keyOf(tag: string): string {
    return stateKey(tag, 'parkedBehind', this.#name);
  }
}
