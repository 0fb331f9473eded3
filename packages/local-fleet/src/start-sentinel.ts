import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { type LocalRedis, startRedis } from './local-redis.ts';
import { removeWithThisProcess } from './reaper.ts';
import { knowsAll, launchSentinel, masterPortOf, type SentinelProcess, sentinelUrl } from './sentinel-process.ts';

export interface SentinelOptions {
  /** Default 2: with `min-replicas-to-write 1` one must be left after a failover. */
  replicas?: number;
  /** How long a master must be silent until it counts as down. Default 3000. */
  downAfterMs?: number;
  /** Further arguments of every redis-server. */
  args?: readonly string[];
}

export interface SentinelSet {
  /** `redis+sentinel://…`, with all three Sentinels. */
  readonly url: string;
  /** The first was the master at the start. */
  readonly servers: readonly LocalRedis[];
  /** The server that the Sentinels name. */
  master(): Promise<LocalRedis>;
  stop(): Promise<void>;
}

const SENTINELS = 3;
const READY_MS = 20_000;

/** Starts a master with replicas and three Sentinels, all real processes on loopback, and waits until they know each other. */
export async function startSentinel({
  replicas = 2,
  downAfterMs = 3000,
  args = [],
}: SentinelOptions = {}): Promise<SentinelSet> {
  const servers: LocalRedis[] = [];
  const sentinels: SentinelProcess[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  removeWithThisProcess(folder);
  const stop = async () => {
    await Promise.all(sentinels.map(({ process }) => process.stop()));
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const first = await startRedis({ args });
    servers.push(first);
    const replicaOf = ['--replicaof', '127.0.0.1', String(first.port)];
    for (let index = 0; index < replicas; index += 1) servers.push(await startRedis({ args: [...replicaOf, ...args] }));
    for (let index = 0; index < SENTINELS; index += 1) {
      const file = join(folder, `sentinel-${index}.conf`);
      sentinels.push(await launchSentinel({ file, port: await freePort(), masterPort: first.port, downAfterMs }));
    }
    const ports = sentinels.map(({ port }) => port);
    const known = { replicas, sentinels: SENTINELS };
    await eventually(async () => (await Promise.all(ports.map((port) => knowsAll(port, known)))).every(Boolean), {
      timeoutMs: READY_MS,
      intervalMs: 100,
      message: 'the Sentinels to know each other and the replicas',
    });
    return {
      url: sentinelUrl(ports),
      servers,
      master: async () => {
        const named = await masterPortOf(ports[0]!);
        const found = servers.find(({ port }) => port === named);
        if (found === undefined) throw new Error(`the Sentinels name no server of the set: ${named}`);
        return found;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
