import { type Durability, FlotillaError } from '@flotilla/contracts';
import { isCluster, isTransientRedisError, parseInfo, type RedisClient } from '@flotilla/redis';

const WAIT_MS = 2000;

type Lasting = Exclude<Durability, 'fast'>;

/** For submissions that ask for more than `fast`. */
export interface RunClient {
  /** Throws when this Redis cannot give it, or cannot now; nothing is stored then. */
  checkSupport(durability: Lasting): Promise<void>;
  /** True when a replica (replicated) or the disk (fsynced) has the run of this key. */
  waitFor(durability: Lasting, runKey: string): Promise<boolean>;
}

/** Waits for the asked level. Throws DURABILITY_UNAVAILABLE when it is not reached in time. */
export async function reachDurability(
  client: RunClient,
  durability: Durability,
  { runId, runKey }: { runId: string; runKey: string },
): Promise<Durability> {
  if (durability === 'fast' || (await client.waitFor(durability, runKey))) return durability;
  throw new FlotillaError(
    'DURABILITY_UNAVAILABLE',
    `run ${runId} was stored, but ${durability} was not confirmed within ${WAIT_MS} ms; starting it again with the same key or run id is safe`,
    { retryAfterMs: 1000, ambiguous: true },
  );
}

export interface DurableClientOptions {
  /** For questions. */
  client: RedisClient;
  /** For waiting, which blocks a connection; default: the same. */
  waitingClient: RedisClient | undefined;
  markerKey: string;
}

export function createDurableClient({ client, waitingClient, markerKey }: DurableClientOptions): RunClient {
  const lines = { replicated: new Line('replicated'), fsynced: new Line('fsynced') };
  let hadReplica = false;
  return {
    async checkSupport(durability) {
      if (isCluster(client)) throw unsupported('durability above fast is not offered on a Cluster');
      const info = parseInfo(String(await client.call('INFO', 'server', 'replication', 'persistence')));
      if (durability === 'replicated') {
        const hasReplica = Number(info.get('connected_slaves')) >= 1;
        hadReplica ||= hasReplica;
        if (!hasReplica && hadReplica) throw unavailable('no replica follows this Redis now');
        if (!hasReplica) throw unsupported('this Redis has no replica to wait for');
      } else {
        const version = info.get('redis_version') ?? '';
        const [major = 0, minor = 0] = version.split('.').map(Number);
        if (major < 7 || (major === 7 && minor < 2))
          throw unsupported(`fsynced needs Redis 7.2 (WAITAOF); this is ${version}`);
        if (info.get('aof_enabled') !== '1') throw unsupported('fsynced needs AOF');
      }
    },
    waitFor: (durability, runKey) => lines[durability].waitFor(waitingClient ?? client, markerKey, runKey),
  };
}

const unsupported = (message: string): FlotillaError => new FlotillaError('DURABILITY_UNSUPPORTED', message);

/** As after a failover, before the other replicas have found the new primary. */
const unavailable = (message: string): FlotillaError =>
  new FlotillaError('DURABILITY_UNAVAILABLE', `${message}; nothing was stored`, { retryAfterMs: 1000 });

interface Waiting {
  runKey: string;
  resolve: (reached: boolean) => void;
  reject: (error: unknown) => void;
}

/** Those that wait for the same level. Waiting blocks the connection, so while some wait, others gather for the next turn. */
class Line {
  readonly #durability: Lasting;
  #waiting: Waiting[] = [];
  #isBusy = false;

  constructor(durability: Lasting) {
    this.#durability = durability;
  }

  waitFor(client: RedisClient, markerKey: string, runKey: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ runKey, resolve, reject });
      if (!this.#isBusy) void this.#serve(client, markerKey);
    });
  }

  async #serve(client: RedisClient, markerKey: string): Promise<void> {
    this.#isBusy = true;
    for (let group = this.#waiting.splice(0); group.length > 0; group = this.#waiting.splice(0)) {
      try {
        const there = await confirm(client, this.#durability, {
          markerKey,
          runKeys: group.map(({ runKey }) => runKey),
        });
        for (const [index, { resolve }] of group.entries()) resolve(there[index]!);
      } catch (error) {
        // Nobody can tell then.
        if (isTransientRedisError(error)) for (const { resolve } of group) resolve(false);
        else for (const { reject } of group) reject(error);
      }
    }
    this.#isBusy = false;
  }
}

/**
 * Which of the runs are stored so that they last. WAIT and WAITAOF speak of the writes of their own connection, and the
 * runs came over another, which may have led to another server: a primary that has lost its place since. So it is asked
 * in one piece, which a client never spreads over two connections: is the run here; a write of our own; do others have
 * that write? Replication is one ordered stream: whoever has the write has everything that was here before it.
 */
async function confirm(
  client: RedisClient,
  durability: Lasting,
  { markerKey, runKeys }: { markerKey: string; runKeys: readonly string[] },
): Promise<boolean[]> {
  const pipeline = client.pipeline();
  for (const runKey of runKeys) pipeline.exists(runKey);
  pipeline.set(markerKey, '1');
  if (durability === 'replicated') pipeline.call('WAIT', '1', String(WAIT_MS));
  else pipeline.call('WAITAOF', '1', '0', String(WAIT_MS));
  const replies = ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
  const answer = replies.at(-1);
  const copies = Number(Array.isArray(answer) ? answer[0] : answer);
  return runKeys.map((_, index) => copies >= 1 && replies[index] === 1);
}
