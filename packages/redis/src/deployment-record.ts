import { randomUUID } from 'node:crypto';
import { FlotillaError } from '@flotilla/contracts';
import { isTransientRedisError } from './classify-redis-error.ts';
import { DEADLINE_PASSED, startDeadline } from './deadline.ts';
import type { RedisClient } from './redis-client.ts';
import { defineScript, runScript } from './run-script.ts';

/** What a deployment fixes when it is first started. */
export interface DeploymentRecord {
  /** How many partitions runs are spread over. Never changes. */
  partitions: number;
  /** Random; another epoch means that the data of this one are gone. */
  epoch: string;
  /** Redis time. */
  createdAtMs: number;
}

const NAMESPACE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** HASH `partitions epoch createdAt`, no TTL, written once by the first scheduler or worker to start. */
export function deploymentKey(namespace: string): string {
  if (!NAMESPACE.test(namespace)) {
    throw new FlotillaError('CONFIG_INVALID', 'a namespace is 1 to 64 letters, digits, dots, dashes or underscores');
  }
  return `{${namespace}}:deployment`;
}

/**
 * KEYS[1] deployment record. ARGV[1] partitions, ARGV[2] epoch.
 * Returns { created 0|1, partitions, epoch, createdAt }: the record that stands, whoever wrote it.
 */
const CREATE_DEPLOYMENT = defineScript({
  name: 'create-deployment',
  numberOfKeys: 1,
  lua: `
local found = redis.call('HMGET', KEYS[1], 'partitions', 'epoch', 'createdAt')
if found[1] or found[2] then return {0, found[1], found[2], found[3]} end
local time = redis.call('TIME')
local createdAt = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'partitions', ARGV[1], 'epoch', ARGV[2], 'createdAt', createdAt)
return {1, ARGV[1], ARGV[2], createdAt}
`,
});

/** The record, or undefined when there is none. */
export async function readDeployment(client: RedisClient, namespace: string): Promise<DeploymentRecord | undefined> {
  const key = deploymentKey(namespace);
  const [partitions, epoch, createdAt] = await rejectForeignType(
    client.hmget(key, 'partitions', 'epoch', 'createdAt'),
    key,
  );
  return partitions || epoch ? parseRecord(key, partitions, epoch, createdAt) : undefined;
}

/** The record; created first when there is none. Any number may call it at once: one record results. */
export async function readOrCreateDeployment(
  client: RedisClient,
  namespace: string,
  partitions: number,
): Promise<{ record: DeploymentRecord; created: boolean }> {
  const key = deploymentKey(namespace);
  const [created, ...fields] = await rejectForeignType(
    runScript<readonly (string | null)[]>(client, CREATE_DEPLOYMENT, [key], [partitions, randomUUID()]),
    key,
  );
  return { record: parseRecord(key, ...fields), created: Number(created) === 1 };
}

export type EpochState = 'same' | 'vanished' | 'changed' | 'unreachable';

/**
 * Looks whether the data of a deployment that was seen are still there. `vanished` and `changed` mean data loss: stop
 * and call the operator. `unreachable` says nothing; look again later.
 */
export async function watchEpoch(
  client: RedisClient,
  namespace: string,
  knownEpoch: string,
  { deadlineMs = 2000 }: { deadlineMs?: number } = {},
): Promise<EpochState> {
  const deadline = startDeadline(deadlineMs);
  try {
    const record = await deadline.race(readDeployment(client, namespace));
    if (record === undefined) return 'vanished';
    return record.epoch === knownEpoch ? 'same' : 'changed';
  } catch (error) {
    if (error === DEADLINE_PASSED || isTransientRedisError(error)) return 'unreachable';
    if (error instanceof FlotillaError && error.code === 'DATA_CORRUPTION') return 'changed';
    throw error;
  } finally {
    deadline.end();
  }
}

function parseRecord(
  key: string,
  partitions?: string | null,
  epoch?: string | null,
  createdAt?: string | null,
): DeploymentRecord {
  if (!partitions || !/^[1-9]\d{0,5}$/.test(partitions) || !epoch) {
    throw new FlotillaError('DATA_CORRUPTION', `the deployment record ${key} is incomplete or malformed`);
  }
  return { partitions: Number(partitions), epoch, createdAtMs: Number(createdAt ?? 0) };
}

async function rejectForeignType<T>(reading: Promise<T>, key: string): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error;
    throw new FlotillaError('DATA_CORRUPTION', `the key ${key} is not a deployment record`, { cause: error });
  }
}
