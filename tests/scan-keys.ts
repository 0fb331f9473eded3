import { mastersOf, type RedisClient } from '@flotilla/redis';

/** All keys whose name begins so, of every node of a Cluster, in order. */
export async function scanKeys(client: RedisClient, prefix: string): Promise<string[]> {
  const keys = new Set<string>();
  for (const server of mastersOf(client)) {
    let cursor = '0';
    do {
      const [next, page] = await server.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 1000);
      for (const key of page) keys.add(key);
      cursor = next;
    } while (cursor !== '0');
  }
  return [...keys].sort();
}

/** Removes keys one by one: together they may be of several nodes. */
export async function removeKeys(client: RedisClient, prefix: string): Promise<void> {
  const keys = await scanKeys(client, prefix);
  await Promise.all(keys.map((key) => client.unlink(key)));
}
