import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StartedProcess, startProcess } from './child-process.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { findRedisServer, type LocalRedis, startRedis } from './local-redis.ts';
import { removeWithThisProcess } from './reaper.ts';

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

const MASTER_NAME = 'flotilla';
const SENTINELS = 3;
const FAILOVER_TIMEOUT_MS = 10_000;
const READY_MS = 20_000;

/** Starts a master with replicas and three Sentinels, all real processes on loopback, and waits until they know each other. */
export async function startSentinel({
  replicas = 2,
  downAfterMs = 3000,
  args = [],
}: SentinelOptions = {}): Promise<SentinelSet> {
  const servers: LocalRedis[] = [];
  const sentinels: { process: StartedProcess; port: number }[] = [];
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
      sentinels.push(await launchSentinel(join(folder, `sentinel-${index}.conf`), first.port, downAfterMs));
    }
    const ports = sentinels.map(({ port }) => port);
    await eventually(async () => (await Promise.all(ports.map((port) => knowsAll(port, replicas)))).every(Boolean), {
      timeoutMs: READY_MS,
      intervalMs: 100,
      message: 'the Sentinels to know each other and the replicas',
    });
    return {
      url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`,
      servers,
      master: async () => {
        const answer = await askInline(ports[0]!, `SENTINEL get-master-addr-by-name ${MASTER_NAME}`);
        const found = servers.find(({ port }) => answer.includes(`\r\n${port}\r\n`));
        if (found === undefined) throw new Error(`the Sentinels name no server of the set: ${answer}`);
        return found;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function launchSentinel(
  file: string,
  masterPort: number,
  downAfterMs: number,
): Promise<{ process: StartedProcess; port: number }> {
  const port = await freePort();
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
    '',
  ];
  // It keeps what it learns in this file.
  await writeFile(file, lines.join('\n'));
  const libraryPath = process.env['FLOTILLA_REDIS_LIBRARY_PATH'];
  const started = await startProcess(findRedisServer()!, [file, '--sentinel'], {
    keepLines: 500,
    ...(libraryPath === undefined ? {} : { env: { ...process.env, LD_LIBRARY_PATH: libraryPath } }),
  });
  return { process: started, port };
}

async function knowsAll(port: number, replicas: number): Promise<boolean> {
  const text = await askInline(port, 'INFO sentinel');
  return text.includes(`slaves=${replicas},sentinels=${SENTINELS}`) && text.includes('status=ok');
}

const ANSWER_MS = 1000;

/** What a server answers to one command, as it comes over the wire; empty when nothing does. */
function askInline(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let text = '';
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(ANSWER_MS, end);
    socket.on('error', end);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      // Answers fit into one packet, but for a break after the length.
      if (text.endsWith('\r\n') && text.split('\r\n').length > 2) end();
    });
    socket.write(`${command}\r\n`);
  });
}
