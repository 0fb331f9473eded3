import { type LocalRedis, startRedis } from '@flotilla/local-fleet';
import { connectRedis, type RedisClient } from '@flotilla/redis';
import type { BenchOptions, BenchTarget } from '../options.ts';
import { startFlotilla } from '../targets/flotilla-target.ts';
import { startLimit } from '../targets/limit-target.ts';
import { startPlain } from '../targets/plain-target.ts';
import type { Target } from '../targets/target.ts';

/** A Redis and the targets on it, for one family of workloads. */
export interface Bench {
  options: BenchOptions;
  redis: LocalRedis;
  client: RedisClient;
  targets: readonly Target[];
  /** A line of progress for people. */
  tell: (line: string) => void;
}

export interface BenchNeeds {
  /** Those of them that the options name are started. */
  targets: readonly BenchTarget[];
  workers: number;
  slots: number;
}

/** As infra/redis/redis.conf has it; rewriting the AOF would fall into some rounds and not into others. */
const REDIS_ARGS = [
  ['--auto-aof-rewrite-percentage', '0'],
  ['--hash-max-listpack-value', '512'],
  ['--hash-max-listpack-entries', '256'],
].flat();

const STARTS = { plain: startPlain, limit: startLimit, flotilla: startFlotilla } as const;

/** Starts Redis and the targets, lets the family measure, and ends them all again. */
export async function withBench<Result>(
  options: BenchOptions,
  needs: BenchNeeds,
  tell: (line: string) => void,
  work: (bench: Bench) => Promise<Result>,
): Promise<Result> {
  const redis = await startRedis({ args: REDIS_ARGS });
  const { client } = connectRedis(redis.url, 'commands');
  const targets: Target[] = [];
  try {
    for (const name of needs.targets) {
      if (!options.only.includes(name)) continue;
      targets.push(
        await STARTS[name]({
          redis,
          workers: needs.workers,
          slots: needs.slots,
          nodeArgs: options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`],
        }),
      );
    }
    return await work({ options, redis, client, targets, tell });
  } finally {
    const ends = await Promise.allSettled(targets.map((target) => target.stop()));
    for (const end of ends) if (end.status === 'rejected') tell(`a target did not end in order: ${String(end.reason)}`);
    client.disconnect();
    await redis.stop();
  }
}

/** Another order each round, so that none always comes first or after the same other. */
export function inTurn<Item>(items: readonly Item[], round: number): Item[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
