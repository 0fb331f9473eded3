import { RUN_STATUSES, type RunCounts } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { stateKey } from './keys.ts';
import { allTags, type ReadDependencies } from './read-runs.ts';
import { type RunFilter, setsOf } from './run-sets.ts';

type CountFilter = Pick<RunFilter, 'workflow' | 'tag' | 'from' | 'to'>;

/** Runs of one partition that are read at once where sets have to be intersected over a span of time. */
const SLICE = 1000;

/** By status and by reason for waiting, at the cost of the partitions and of the runs that wait. */
export async function countRuns(dependencies: ReadDependencies, filter: CountFilter): Promise<RunCounts> {
  const { client, namespace, partitions } = dependencies;
  const counted = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const [status, waiting] = await Promise.all([
        countStatuses(client, tag, filter),
        countReasons(client, tag, filter),
      ]);
      return { status, waiting };
    }),
  );
  return {
    status: addUp(counted.map(({ status }) => status)),
    waiting: addUp(counted.map(({ waiting }) => waiting)),
  };
}

type Count = readonly [string, number];

function addUp(lists: readonly (readonly Count[])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, count] of lists.flat()) if (count > 0) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

function countStatuses(client: RedisClient, tag: string, filter: CountFilter): Promise<Count[]> {
  return Promise.all(
    RUN_STATUSES.map(async (status): Promise<Count> => [status, await countOf(client, tag, { ...filter, status })]),
  );
}

async function countReasons(client: RedisClient, tag: string, filter: CountFilter): Promise<Count[]> {
  const names = await client.smembers(stateKey(tag, 'waits'));
  return Promise.all(
    ['queued', 'paused', ...names].map(
      async (waiting): Promise<Count> => [waiting, await countOf(client, tag, { ...filter, waiting })],
    ),
  );
}

async function countOf(client: RedisClient, tag: string, filter: RunFilter): Promise<number> {
  const { anyOf, allOf } = setsOf(tag, filter);
  const counts = await Promise.all(anyOf.map((key) => sizeOfAll(client, key, allOf, filter)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function sizeOfAll(
  client: RedisClient,
  key: string,
  allOf: readonly string[],
  { from, to }: CountFilter,
): Promise<number> {
  if (from !== undefined || to !== undefined) {
    if (allOf.length === 0) return client.zcount(key, from ?? '-inf', to ?? '+inf');
    return sizeWithin(client, key, allOf, { from, to });
  }
  return allOf.length === 0 ? client.zcard(key) : client.zintercard(allOf.length + 1, key, ...allOf);
}

async function sizeWithin(
  client: RedisClient,
  key: string,
  allOf: readonly string[],
  { from, to }: CountFilter,
): Promise<number> {
  let count = 0;
  for (let offset = 0; ; offset += SLICE) {
    const ids = await client.zrangebyscore(key, from ?? '-inf', to ?? '+inf', 'LIMIT', offset, SLICE);
    if (ids.length === 0) return count;
    const scores = await Promise.all(allOf.map((other) => client.zmscore(other, ...ids)));
    count += ids.filter((_, index) => scores.every((ofSet) => ofSet[index] != null)).length;
  }
}
