import { FlotillaError, type Problem } from '@flotilla/contracts';
import type { RedisClient } from './redis-client.ts';
import type { ServerFacts } from './server-facts.ts';
import { type CheckRedisOptions, checkRedis } from './start-up-guard.ts';

export interface RedisWatchOptions extends CheckRedisOptions {
  /** The epoch that the process started with. */
  knownEpoch: string;
  /** What the servers said when the process started. */
  servers: readonly ServerFacts[];
}

/** How often what was checked at start-up is checked again. */
export const REDIS_RECHECK_MS = 5_000;

/**
 * Looks again at what the start-up guard looked at: settings change while processes run, and a replaced server has
 * settings of its own. Keys that were evicted since the start, or since a server was first seen, are a problem, not a
 * warning: they were runs.
 */
export class RedisWatch {
  readonly #client: RedisClient;
  readonly #options: RedisWatchOptions;
  readonly #evictedBefore: Map<string, number>;
  #problems: readonly Problem[] = [];
  #lineage: string;

  constructor(client: RedisClient, options: RedisWatchOptions) {
    this.#client = client;
    this.#options = options;
    this.#lineage = lineageOf(options.servers);
    this.#evictedBefore = new Map(options.servers.map(({ address, evictedKeys = 0 }) => [address, evictedKeys]));
  }

  /** What was wrong at the last look. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /**
   * Of all servers, as seen at the last look. When it changes, the data may be older than what this process has been told:
   * what it wrote last may be gone.
   */
  get lineage(): string {
    return this.#lineage;
  }

  /** Looks now. While Redis cannot be asked, what was known stays. */
  async look(): Promise<readonly Problem[]> {
    try {
      const { problems, servers } = await checkRedis(this.#client, this.#options);
      this.#lineage = lineageOf(servers);
      this.#problems = [...problems, ...servers.flatMap((facts) => this.#evicted(facts))];
    } catch (error) {
      if (!(error instanceof FlotillaError && error.code === 'REDIS_UNAVAILABLE')) throw error;
    }
    return this.#problems;
  }

  #evicted({ address, evictedKeys = 0 }: ServerFacts): Problem[] {
    // A server that was not there at the start, as after a failover: what it evicted before is not this process' loss.
    const before = this.#evictedBefore.get(address) ?? evictedKeys;
    this.#evictedBefore.set(address, before);
    // Below what it was: the server was restarted and counts anew.
    const since = evictedKeys < before ? evictedKeys : evictedKeys - before;
    if (since === 0) return [];
    const message = `Redis at ${address} has evicted ${since} keys while this process ran; runs may be damaged`;
    return [{ code: 'REDIS_HAS_EVICTED', path: `/${address}`, message, severity: 'error' }];
  }
}

function lineageOf(servers: readonly ServerFacts[]): string {
  return servers
    .map(({ lineage = '' }) => lineage)
    .sort()
    .join(' ');
}
