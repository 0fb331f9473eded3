import type { Plan } from '@flotilla/engine';
import { type State, stateKey } from '@flotilla/state';

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
  readonly #state: State<Plan>;
  readonly #name: string;

  constructor(state: State<Plan>, name: string) {
    this.#state = state;
    this.#name = name;
  }

  /** `now`: Redis' clock, here and below. */
  async count(now: number): Promise<number> {
    const { client, tags } = this.#state;
    const counts = await Promise.all(tags.map((tag) => client.zcount(this.#keyOf(tag), now - OVERDUE_MS, '+inf')));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Has the next steps looked at now: one of them tests the way back. */
  async wakeNext(now: number, count: number): Promise<void> {
    const { client, tags } = this.#state;
    const found = await Promise.all(tags.map((tag) => this.#candidates(tag, now)));
    const inOrder = found.flat().sort((a, b) => a.lookAgainAt - b.lookAgainAt);
    let woken = 0;
    for (const { tag, member } of inOrder) {
      if (woken === count) return;
      const due = stateKey(tag, 'due');
      const dueAt = await client.zscore(due, `p|${member}`);
      // It has been taken, or has ended, since it was parked.
      if (dueAt === null) continue;
      await client.zadd(due, 'XX', 'LT', now, `p|${member}`);
      woken += 1;
    }
  }

  /** The dependency is back: nobody waits longer than the others, whatever has kept him waiting so far. */
  async bringBack(now: number, overMs: number): Promise<void> {
    const { client, tags } = this.#state;
    await Promise.all(
      tags.map(async (tag) => {
        const late = await client.zrangebyscore(this.#keyOf(tag), now + overMs, '+inf', 'LIMIT', 0, MAX_BROUGHT_BACK);
        if (late.length === 0) return;
        const entries = late.flatMap((member, index) => [
          Math.ceil(now + (overMs * (index + 0.5)) / late.length),
          `p|${member}`,
        ]);
        await client.zadd(stateKey(tag, 'due'), 'XX', 'LT', ...entries);
      }),
    );
  }

  async #candidates(tag: string, now: number) {
    const [key, from] = [this.#keyOf(tag), now - OVERDUE_MS];
    const found = await this.#state.client.zrangebyscore(key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, MAX_CANDIDATES);
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
