import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { askInline } from './inline-command.ts';
import { type LocalRedis, startRedis } from './local-redis.ts';

export interface ClusterOptions {
  /** Masters. Default 3, the fewest that a Cluster can agree with. */
  masters?: number;
  /** Further arguments of every redis-server. */
  args?: readonly string[];
}

export interface RedisCluster {
  /** `redis+cluster://…`, with all masters. */
  readonly url: string;
  readonly nodes: readonly LocalRedis[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const READY_MS = 30_000;
const NODE_TIMEOUT_MS = 5000;

/** Starts a Redis Cluster of masters without replicas, real processes on loopback, and waits until it serves all slots. */
export async function startCluster({ masters = 3, args = [] }: ClusterOptions = {}): Promise<RedisCluster> {
  const nodes: LocalRedis[] = [];
  const busPorts: number[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let index = 0; index < masters; index += 1) {
      // By itself it would be that of the clients and 10000, which may be none or taken.
      const busPort = await freePort();
      busPorts.push(busPort);
      const own = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
      nodes.push(await startRedis({ args: [...own, '--cluster-port', String(busPort), ...args] }));
    }
    for (const [index, { port }] of nodes.entries()) {
      const first = Math.floor((index * SLOTS) / masters);
      const last = Math.floor(((index + 1) * SLOTS) / masters) - 1;
      await command(port, `CLUSTER ADDSLOTSRANGE ${first} ${last}`);
    }
    for (const [index, { port }] of nodes.entries()) {
      if (index > 0) await command(nodes[0]!.port, `CLUSTER MEET 127.0.0.1 ${port} ${busPorts[index]}`);
    }
    const isReady = async ({ port }: LocalRedis) => {
      const info = await askInline(port, 'CLUSTER INFO');
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${masters}`);
    };
    await eventually(async () => (await Promise.all(nodes.map(isReady))).every(Boolean), {
      timeoutMs: READY_MS,
      intervalMs: 50,
      message: 'every node of the Cluster to serve',
    });
    return { url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function command(port: number, text: string): Promise<void> {
  const answer = await askInline(port, text);
  if (!answer.startsWith('+OK')) throw new Error(`Redis on port ${port} answered ${text} with ${answer.trim()}`);
}
