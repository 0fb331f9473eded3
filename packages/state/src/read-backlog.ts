import { RUN } from './format.ts';
import { stateKey } from './keys.ts';
import { allTags, type ReadDependencies } from './read-runs.ts';

/** What has piled up in a deployment. Times are Redis'. */
export interface Backlog {
  /** When the oldest entry of an outbox was written; undefined when all are empty. */
  oldestOutboxAt: number | undefined;
  /** When the oldest run that has not begun was created. */
  oldestPendingAt: number | undefined;
  /** Runs with dead letters that ended since. */
  deadRuns: number;
}

export async function readBacklog(
  { client, namespace, partitions }: ReadDependencies,
  { deadSince }: { deadSince: number },
): Promise<Backlog> {
  const found = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const [entries, pending, dead] = await Promise.all([
        client.xrange(stateKey(tag, 'outbox'), '-', '+', 'COUNT', 1),
        client.zrange(stateKey(tag, 'facet', `${RUN.pending}||`), '0', '0', 'WITHSCORES'),
        client.zcount(stateKey(tag, 'dead'), deadSince, '+inf'),
      ]);
      return { outboxAt: entries[0]?.[0], pendingAt: pending[1], dead };
    }),
  );
  return {
    oldestOutboxAt: oldest(found.map(({ outboxAt }) => outboxAt?.split('-')[0])),
    oldestPendingAt: oldest(found.map(({ pendingAt }) => pendingAt)),
    deadRuns: found.reduce((sum, { dead }) => sum + dead, 0),
  };
}

function oldest(times: readonly (string | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined).map(Number);
  return known.length === 0 ? undefined : Math.min(...known);
}
