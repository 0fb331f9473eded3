import { FlotillaError, type RunView } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { partitionTag, stateKey } from './keys.ts';
import { partitionOfRun } from './run-id.ts';
import { parseRun, RUN_FIELDS } from './run-record.ts';

export interface ReadDependencies {
  client: RedisClient;
  namespace: string;
  partitions: number;
}

export function tagOfRun(
  { namespace, partitions }: Pick<ReadDependencies, 'namespace' | 'partitions'>,
  runId: string,
): string {
  return partitionTag(namespace, partitionOfRun(runId, partitions));
}

export function allTags(namespace: string, partitions: number): string[] {
  return Array.from({ length: partitions }, (_, partition) => partitionTag(namespace, partition));
}

export async function readRun(dependencies: ReadDependencies, runId: string): Promise<RunView | undefined> {
  const key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  return parseRun(runId, await dependencies.client.hmget(key, ...RUN_FIELDS));
}

export function invalidCursor(): FlotillaError {
  const message = 'the cursor is not one that a list answered with';
  return new FlotillaError('VALIDATION_FAILED', message, {
    problems: [{ code: 'CURSOR_INVALID', path: '/cursor', message }],
  });
}
