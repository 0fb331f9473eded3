import { queuePrefix } from '@flotilla/queue';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import { partitionTag, stateKey } from '@flotilla/state';

const PARTITIONS = 8;

/**
 * What a fleet at rest has left in Redis although all its runs have ended: outbox entries, due entries, leases, runs
 * that are thought active, BullMQ tasks. Run state and history stay, of course.
 */
export async function findLeftovers(
  redisUrl: string,
  namespace: string,
  { tasks = true }: { tasks?: boolean } = {},
): Promise<string[]> {
  const connection = connectRedis(redisUrl, 'commands');
  const { client } = connection;
  try {
    await untilReady(connection, 5000);
    const found: string[] = [];
    const note = (what: string, count: number): void => {
      if (count > 0) found.push(`${count} in ${what}`);
    };
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const tag = partitionTag(namespace, partition);
      note(`${tag}out`, await client.xlen(stateKey(tag, 'outbox')));
      for (const set of ['due', 'lease', 'active', 'cancels'] as const) {
        note(tag + set, await client.zcard(stateKey(tag, set)));
      }
    }
    // BullMQ gives up tasks of killed workers after a minute; they are hints, and state does not wait for that.
    if (!tasks) return found;
    const queue = 'default';
    const prefix = `${queuePrefix(namespace, queue)}:${queue}`;
    for (const list of ['wait', 'active', 'paused']) note(`${prefix}:${list}`, await client.llen(`${prefix}:${list}`));
    for (const set of ['delayed', 'prioritized', 'failed']) {
      note(`${prefix}:${set}`, await client.zcard(`${prefix}:${set}`));
    }
    return found;
  } finally {
    await closeConnection(connection);
  }
}
