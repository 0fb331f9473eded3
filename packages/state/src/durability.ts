import { type Durability, FlotillaError } from '@flotilla/contracts';
import { isCluster, type RedisClient } from '@flotilla/redis';

const WAIT_MS = 2000;

/** A connection for submissions that wait for replicas or disks: waiting blocks a connection, so they have their own. */
export interface RunClient {
  checkSupport(durability: Durability): Promise<void>;
  /** Number of replicas (replicated) or local and replica disks (fsynced) that have everything written so far. */
  waitFor(durability: Durability): Promise<boolean>;
}

/** Waits for the asked level. Throws DURABILITY_UNAVAILABLE when it is not reached in time: the run exists, `fast`. */
export async function reachDurability(client: RunClient, durability: Durability, runId: string): Promise<Durability> {
  if (durability === 'fast' || (await client.waitFor(durability))) return durability;
  throw new FlotillaError(
    'DURABILITY_UNAVAILABLE',
    `run ${runId} was stored, but ${durability} was not confirmed within ${WAIT_MS} ms; starting it again with the same key or run id is safe`,
    { retryAfterMs: 1000, ambiguous: true },
  );
}

/**
 * WAIT and WAITAOF speak of the writes of their own connection, so the submission's connection must ask. Here the asking
 * connection first writes a marker of its own: replication is one ordered stream, so whoever has the marker has every
 * earlier write.
 */
export function createDurableClient(client: RedisClient, markerKey: string): RunClient {
  const unsupported = (message: string) => new FlotillaError('DURABILITY_UNSUPPORTED', message);
  const info = async () => {
    const [server, replication, persistence] = await Promise.all([
      client.info('server'),
      client.info('replication'),
      client.info('persistence'),
    ]);
    const field = (text: string, name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
    return {
      version: field(server, 'redis_version'),
      replicas: Number(field(replication, 'connected_slaves')),
      aof: field(persistence, 'aof_enabled') === '1',
    };
  };
  return {
    async checkSupport(durability) {
      if (isCluster(client)) throw unsupported('durability above fast is not offered on a Cluster');
      const { version, replicas, aof } = await info();
      if (durability === 'replicated' && replicas < 1) throw unsupported('this Redis has no replica to wait for');
      if (durability === 'fsynced') {
        const [major = 0, minor = 0] = version.split('.').map(Number);
        if (major < 7 || (major === 7 && minor < 2))
          throw unsupported(`fsynced needs Redis 7.2 (WAITAOF); this is ${version}`);
        if (!aof) throw unsupported('fsynced needs AOF');
      }
    },
    async waitFor(durability) {
      await client.set(markerKey, '1');
      if (durability === 'replicated') return Number(await client.call('WAIT', '1', String(WAIT_MS))) >= 1;
      const reply = (await client.call('WAITAOF', '1', '0', String(WAIT_MS))) as [number, number];
      return Number(reply[0]) >= 1;
    },
  };
}
