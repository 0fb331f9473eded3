import { readFileSync } from 'node:fs';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import type { RetryBudgetSettings } from './breaker-settings.ts';

const SCRIPT = defineScript({
  name: 'retry-budget',
  numberOfKeys: 1,
  lua: readFileSync(new URL('../lua/retry-budget.lua', import.meta.url), 'utf8'),
});

/**
 * The fleet's retry budgets: of the steps behind one breaker, retries are at most a share of first tries over a sliding
 * window, and never fewer than a minimum. First tries are counted here and told in groups.
 */
export class RetryBudget {
  readonly #client: RedisClient;
  readonly #keyOf: (name: string) => string;
  readonly #settings: RetryBudgetSettings;
  /** First tries that Redis has not heard of, by dependency. */
  readonly #firstTries = new Map<string, number>();

  constructor(client: RedisClient, keyOf: (name: string) => string, settings: RetryBudgetSettings) {
    this.#client = client;
    this.#keyOf = keyOf;
    this.#settings = settings;
  }

  noteFirstTry(name: string): void {
    this.#firstTries.set(name, (this.#firstTries.get(name) ?? 0) + 1);
  }

  /** Takes the place of one retry; answers how long it has to wait for it, 0 within the budget. */
  async spend(name: string): Promise<number> {
    return this.#tell(name, 1);
  }

  /** Tells Redis of first tries. What could not be told is told the next time. */
  async flush(): Promise<void> {
    await Promise.all(Array.from(this.#firstTries.keys(), (name) => this.#tell(name, 0)));
  }

  async #tell(name: string, retries: 0 | 1): Promise<number> {
    const { windowMs, share, minimum } = this.#settings;
    const firstTries = this.#firstTries.get(name) ?? 0;
    this.#firstTries.delete(name);
    try {
      const args = [firstTries, retries, windowMs, share, minimum];
      return Number(await runScript(this.#client, SCRIPT, [this.#keyOf(name)], args));
    } catch (error) {
      if (firstTries > 0) this.#firstTries.set(name, (this.#firstTries.get(name) ?? 0) + firstTries);
      throw error;
    }
  }
}
