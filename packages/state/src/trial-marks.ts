import type { RedisClient } from '@flotilla/redis';
import { stateKey } from './keys.ts';

/** Marks of schedulers that died are seen by the next reader within seconds; what is older than this says nothing. */
const KEPT_SECONDS = 86_400;

/**
 * Who is carrying out an entry that its earlier readers may have died of. A mark that is there although nobody works on the
 * entry was left by a scheduler that ended in the middle of it.
 */
export class TrialMarks {
  readonly #client: RedisClient;
  readonly #scheduler: string;

  constructor(client: RedisClient, scheduler: string) {
    this.#client = client;
    this.#scheduler = scheduler;
  }

  /** Marks the entry as under trial. Answers the other scheduler whose trial it did not survive, if there is one. */
  async begin(tag: string, entry: string): Promise<string | undefined> {
    const key = stateKey(tag, 'trials');
    const isNew = await this.#client.hsetnx(key, entry, this.#scheduler);
    await this.#client.expire(key, KEPT_SECONDS);
    if (isNew === 1) return undefined;
    const marked = await this.#client.hget(key, entry);
    return marked == null || marked === this.#scheduler ? undefined : marked;
  }

  async end(tag: string, entry: string): Promise<void> {
    await this.#client.hdel(stateKey(tag, 'trials'), entry);
  }
}
