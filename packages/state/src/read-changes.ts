import type { RunChange } from '@flotilla/contracts';
import { isCluster } from '@flotilla/redis';
import { stateKey } from './keys.ts';
import { readListedRun } from './list-runs.ts';
import { allTags, type ReadDependencies } from './read-runs.ts';

export interface ChangeQuery {
  /** On Redis' clock, in ms: changes at or after `since` and before `until`. */
  since: number;
  until: number;
  limit: number;
}

export interface Changes {
  /** Each run once, as it is now. */
  changes: RunChange[];
  /** More have changed than `limit`: then none is given. */
  overflow: boolean;
}

/** Masters of a Cluster have clocks of their own: what one of them writes late is read again. */
const CLUSTER_OVERLAP_MS = 2000;

/** Runs that were created, changed their status or what they wait for, or ended within a span of time. */
export async function readChanges(dependencies: ReadDependencies, query: ChangeQuery): Promise<Changes> {
  const { client, namespace, partitions } = dependencies;
  const since = query.since - (isCluster(client) ? CLUSTER_OVERLAP_MS : 0);
  const changedAt = new Map<string, number>();
  const lists = await Promise.all(
    allTags(namespace, partitions).flatMap((tag) =>
      (['runs', 'changed', 'ended'] as const).map((suffix) =>
        client.zrangebyscore(
          stateKey(tag, suffix),
          since,
          `(${query.until}`,
          'WITHSCORES',
          'LIMIT',
          0,
          query.limit + 1,
        ),
      ),
    ),
  );
  for (const list of lists) {
    for (let index = 0; index < list.length; index += 2) {
      const runId = list[index] ?? '';
      changedAt.set(runId, Math.max(changedAt.get(runId) ?? 0, Number(list[index + 1])));
    }
  }
  if (changedAt.size > query.limit) return { changes: [], overflow: true };
  const changes = await Promise.all(Array.from(changedAt, ([runId, at]) => readChange(dependencies, runId, at)));
  return {
    changes: changes.filter((change) => change !== undefined).sort((a, b) => a.changedAt - b.changedAt),
    overflow: false,
  };
}

async function readChange(
  dependencies: ReadDependencies,
  runId: string,
  changedAt: number,
): Promise<RunChange | undefined> {
  const run = await readListedRun(dependencies, runId);
  if (run === undefined) return undefined;
  const { workflow, status, createdAt, endedAt, waiting, tags } = run;
  return {
    ...{ runId, workflow, status, createdAt, changedAt, tags },
    ...(endedAt !== undefined && { endedAt }),
    ...(waiting !== undefined && { waiting }),
  };
}
