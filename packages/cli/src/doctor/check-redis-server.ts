import { FlotillaError, type Problem } from '@flotilla/contracts';
import { checkRedis, closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import type { Terminal } from '../terminal.ts';
import type { Finding } from './finding.ts';

const CONNECT_WITHIN_MS = 3000;
/** Looking must not create a deployment: `checkRedis` does so only for those that do not know one yet. */
const NO_EPOCH = 'not known to doctor';
const DEFAULT_NAMESPACE = 'fl';

const ADVICE: Readonly<Record<string, string>> = {
  REDIS_TOO_OLD: 'install Redis 7.0 or later, or Valkey',
  REDIS_EVICTS: 'in redis.conf: maxmemory-policy noeviction',
  REDIS_VOLATILE: 'in redis.conf: appendonly yes',
  REDIS_FSYNC_UNBOUNDED: 'in redis.conf: appendfsync everysec',
  REDIS_HAS_EVICTED: 'restore a backup if runs are missing, and set maxmemory-policy noeviction',
};

/** Whether Redis can be reached and is fit to keep runs, when `REDIS_URL` says where it is. */
export async function checkRedisServer(env: Terminal['env']): Promise<Finding[]> {
  const url = env['REDIS_URL'];
  if (url === undefined || url === '') {
    const advice = 'nothing to do with ./flotilla up, which brings its own; to check another, set REDIS_URL';
    return [{ check: 'redis', state: 'warn', message: 'REDIS_URL is not set', advice }];
  }
  let connection: RedisConnection | undefined;
  try {
    connection = connectRedis(url, 'commands', { name: 'doctor' });
    await untilReady(connection, CONNECT_WITHIN_MS);
    const check = await checkRedis(connection.client, {
      namespace: env['FLOTILLA_NAMESPACE'] || DEFAULT_NAMESPACE,
      partitions: 1,
      knownEpoch: NO_EPOCH,
    });
    const found = [...check.problems, ...check.warnings].filter(({ path }) => path !== '/deployment');
    const versions = check.servers.map(({ version = 'of unknown version' }) => version).join(', ');
    const findings = found.map(findingOf);
    if (findings.length > 0) return findings;
    return [
      { check: 'redis', state: 'ok', message: `Redis ${versions} at ${connection.target}, keeps what it is given` },
    ];
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    const advice = 'is it running, and is REDIS_URL right? ./flotilla up brings its own';
    return [{ check: 'redis', state: 'fail', message: error.message, advice }];
  } finally {
    if (connection !== undefined) await closeConnection(connection);
  }
}

function findingOf({ code, message, severity }: Problem): Finding {
  const advice = ADVICE[code];
  const state = severity === 'warning' ? 'warn' : 'fail';
  return { check: 'redis', state, message, ...(advice === undefined ? {} : { advice }) };
}
