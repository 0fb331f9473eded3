import { createHash } from 'node:crypto';
import { isLegalId } from '@flotilla/contracts';
import { partitionTag, stateKey } from './keys.ts';
import { allTags, type ReadDependencies, tagOfRun } from './read-runs.ts';
import { partitionOfKey, runNumberOfAttempt } from './run-id.ts';

/** Runs that an id may belong to; more are not looked for. */
const MAX_FOUND = 20;

/** Ids of the runs that this is the id, the id of an attempt or the idempotency key of. Usually one. */
export async function findRuns(dependencies: ReadDependencies, id: string): Promise<string[]> {
  const found = await Promise.all([
    findById(dependencies, id),
    findByKey(dependencies, id),
    findByAttempt(dependencies, id),
  ]);
  return [...new Set(found.flat())].slice(0, MAX_FOUND);
}

async function findById(dependencies: ReadDependencies, id: string): Promise<string[]> {
  if (!isLegalId(id)) return [];
  const exists = await dependencies.client.exists(stateKey(tagOfRun(dependencies, id), 'run', id));
  return exists === 1 ? [id] : [];
}

async function findByKey({ client, namespace, partitions }: ReadDependencies, key: string): Promise<string[]> {
  const hash = createHash('sha256').update(key).digest('base64url');
  const record = await client.get(
    stateKey(partitionTag(namespace, partitionOfKey(key, partitions)), 'idempotency', hash),
  );
  const runId = record?.split('|', 1)[0];
  return runId === undefined ? [] : [runId];
}

async function findByAttempt(
  { client, namespace, partitions }: ReadDependencies,
  attemptId: string,
): Promise<string[]> {
  const number = runNumberOfAttempt(attemptId);
  if (number === undefined) return [];
  const found = await Promise.all(
    allTags(namespace, partitions).map((tag) =>
      client.zrangebyscore(stateKey(tag, 'ids'), number, number, 'LIMIT', 0, MAX_FOUND),
    ),
  );
  return found.flat();
}
