import { FlotillaError, type Problem } from '@flotilla/contracts';
import { checkRedis, closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { COMMAND } from '../command-name.ts';
import type { Terminal } from '../terminal.ts';
import type { Finding } from './finding.ts';

const CONNECT_WITHIN_MS = 3000;
/** Looking must not create a deployment: `checkRedis` does so only for those that do not know one yet. */
const NO_EPOCH = 'not known to doctor';
const DEFAULT_NAMESPACE = 'fl';
/** As schedulers and workers take it when FLOTILLA_PARTITIONS is not set. */
const DEFAULT_PARTITIONS = 8;

const ADVICE: Readonly<Record<string, string>> = {
  REDIS_TOO_OLD: 'install Redis 7.0 or later, or Valkey',
  REDIS_EVICTS: 'in redis.conf: maxmemory-policy noeviction',
  REDIS_VOLATILE: 'in redis.conf: appendonly yes',
  REDIS_FSYNC_UNBOUNDED: 'in redis.conf: appendfsync everysec',
  DATA_CORRUPTION: 'the record of the deployment is damaged: restore a backup, or use another FLOTILLA_NAMESPACE',
  CONFIG_INVALID: 'see docs/reference/configuration.md for FLOTILLA_PARTITIONS and FLOTILLA_NAMESPACE',
  REDIS_HAS_EVICTED: 'restore a backup if runs are missing, and set maxmemory-policy noeviction',
};

/** Whether Redis can be reached and is fit to keep runs, when `REDIS_URL` says where it is. */
export async function checkRedisServer(env: Terminal['env']): Promise<Finding[]> {
  const url = env['REDIS_URL'];
  if (url === undefined || url === '') {
    const advice = `nothing to do with ${COMMAND} up, which brings its own; to check another, set REDIS_URL`;
    return [{ check: 'redis', state: 'warn', message: 'REDIS_URL is not set', advice }];
  }
  const partitions = Number(env['FLOTILLA_PARTITIONS'] || DEFAULT_PARTITIONS);
  let connection: RedisConnection | undefined;
  try {
    connection = connectRedis(url, 'commands', { name: 'doctor' });
    await untilReady(connection, CONNECT_WITHIN_MS);
    const check = await checkRedis(connection.client, {
      namespace: env['FLOTILLA_NAMESPACE'] || DEFAULT_NAMESPACE,
      partitions,
      knownEpoch: NO_EPOCH,
    });
    // That the epoch is not the one of NO_EPOCH says nothing.
    const found = [...check.problems, ...check.warnings].filter(({ code }) => code !== 'DATA_LOSS');
    const versions = check.servers.map(({ version = 'of unknown version' }) => version).join(', ');
    const findings = [...found.map(findingOf), ...judgePartitions(check.deployment?.partitions, partitions)];
    if (findings.length > 0) return findings;
    return [
      { check: 'redis', state: 'ok', message: `Redis ${versions} at ${connection.target}, keeps what it is given` },
    ];
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    if (error.code === 'CONFIG_INVALID') return [findingOf({ code: error.code, path: '', message: error.message })];
    const advice = `is it running, and is REDIS_URL right? ${COMMAND} up brings its own`;
    return [{ check: 'redis', state: 'fail', message: error.message, advice }];
  } finally {
    if (connection !== undefined) await closeConnection(connection);
  }
}

/** Schedulers and workers that are started with another count than the deployment's refuse to start. */
function judgePartitions(ofDeployment: number | undefined, configured: number): Finding[] {
  if (ofDeployment === undefined || ofDeployment === configured) return [];
  return [
    {
      check: 'redis',
      state: 'fail',
      message: `PARTITION_MISMATCH: the deployment has ${ofDeployment} partitions, FLOTILLA_PARTITIONS is ${configured} here`,
      advice: `start every scheduler and worker with FLOTILLA_PARTITIONS=${ofDeployment}: the count of a deployment never changes`,
    },
  ];
}

function findingOf({ code, message, severity }: Problem): Finding {
  const advice = ADVICE[code];
  const state = severity === 'warning' ? 'warn' : 'fail';
  return { check: 'redis', state, message, ...(advice === undefined ? {} : { advice }) };
}
