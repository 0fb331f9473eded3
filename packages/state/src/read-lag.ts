import { stateKey } from './keys.ts';
import { allTags, type ReadDependencies } from './read-runs.ts';
import { readRedisTime } from './redis-time.ts';

/** How far the schedulers are behind. */
export interface Lag {
  /** Entries of the outboxes that no scheduler has carried out. */
  outboxEntries: number;
  /** How late the most overdue timer is, ms; 0 when none is. */
  overdueMs: number;
}

/** At the cost of three commands a partition, however much waits. */
export async function readLag({ client, namespace, partitions }: ReadDependencies): Promise<Lag> {
  const now = await readRedisTime(client);
  const found = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const [entries, first] = await Promise.all([
        client.xlen(stateKey(tag, 'outbox')),
        client.zrange(stateKey(tag, 'due'), '0', '0', 'WITHSCORES'),
      ]);
      return { entries, overdueMs: first[1] === undefined ? 0 : now - Number(first[1]) };
    }),
  );
  return {
    outboxEntries: found.reduce((sum, { entries }) => sum + entries, 0),
    overdueMs: Math.max(0, ...found.map(({ overdueMs }) => overdueMs)),
  };
}
