import { placeOf, type RedisScan } from '@flotilla/checker';
import { queuePrefix } from '@flotilla/queue';

type SendCommand = (command: string, ...args: string[]) => Promise<unknown>;

/** Where BullMQ keeps the ids of tasks: what a list or set here names has an owner. */
const TASK_SETS: Readonly<Record<string, readonly string[]>> = {
  LRANGE: ['wait', 'active', 'paused'],
  ZRANGE: ['completed', 'failed', 'delayed', 'prioritized', 'waiting-children'],
};

/** What a partition has whether there are runs or not: the stream of the outbox, leases of workers, when leases were looked at. */
const OF_PARTITIONS: ReadonlySet<string> = new Set(['outbox', 'workers', 'reclaim']);

/**
 * Keys that nobody owns and that do not expire either, in a Redis that one fleet alone uses, all of whose runs have ended
 * and been removed: keys of no known kind, run state, history, definitions, indexes, and tasks that are in no list.
 */
export async function findStrayKeys(
  send: SendCommand,
  { keys, namespace }: RedisScan,
  queues: readonly string[],
): Promise<string[]> {
  const tasks = await ownedTasks(
    send,
    queues.map((queue) => `${queuePrefix(namespace, queue)}:${queue}`),
  );
  const strays: string[] = [];
  for (const { key } of keys) {
    const place = placeOf(key, namespace);
    if (place?.area === 'deployment') continue;
    if (place?.area === 'partition' && OF_PARTITIONS.has(place.name)) continue;
    // What a queue has beside its tasks.
    if (place?.area === 'queue' && (place.name !== 'task' || tasks.has(key.replace(/:lock$/, '')))) continue;
    const ttlMs = Number(await send('PTTL', key));
    if (ttlMs === -1) strays.push(`${key} has neither an owner nor a time to live`);
  }
  const total = Number(await send('DBSIZE'));
  if (total > keys.length) strays.push(`${total - keys.length} keys are outside of the namespace ${namespace}`);
  return strays;
}

async function ownedTasks(send: SendCommand, prefixes: readonly string[]): Promise<Set<string>> {
  const owned = new Set<string>();
  for (const prefix of prefixes) {
    for (const [command, names] of Object.entries(TASK_SETS)) {
      for (const name of names) {
        const ids = (await send(command, `${prefix}:${name}`, '0', '-1')) as string[];
        for (const id of ids) owned.add(`${prefix}:${id}`);
      }
    }
  }
  return owned;
}
