import type { RedisClient } from '@flotilla/redis';
import { DUE } from './format.ts';
import { stateKey } from './keys.ts';
import { readRedisTime } from './redis-time.ts';

/** Entries of one ZSCAN: what Redis does in less than a millisecond. */
const ENTRIES_AT_ONCE = 500;

/**
 * Has all parked steps looked at now. Those that still nobody can take are parked again; an entry that is taken away
 * meanwhile stays away.
 */
export async function wakeParked(client: RedisClient, tags: readonly string[]): Promise<void> {
  await Promise.all(tags.map((tag) => wakePartition(client, stateKey(tag, 'due'))));
}

async function wakePartition(client: RedisClient, due: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, found] = await client.zscan(due, cursor, 'MATCH', `${DUE.parked}|*`, 'COUNT', ENTRIES_AT_ONCE);
    cursor = next;
    if (found.length === 0) continue;
    const now = await readRedisTime(client);
    const scores: (string | number)[] = [];
    for (let index = 0; index < found.length; index += 2) scores.push(now, found[index] ?? '');
    await client.zadd(due, 'XX', 'LT', ...scores);
  } while (cursor !== '0');
}
