import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChaosProxy, startChaosProxy } from './chaos-proxy.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { type LocalRedis, startRedis } from './local-redis.ts';
import { removeWithThisProcess } from './reaper.ts';
import { knowsAll, launchSentinel, masterPortOf, type SentinelProcess, sentinelUrl } from './sentinel-process.ts';

export interface SplitSentinelOptions {
  /** How long a master must be silent until it counts as down. Default 3000. */
  downAfterMs?: number;
  /** Further arguments of every redis-server. */
  args?: readonly string[];
}

export type Side = 'near' | 'far';

/** A Sentinel set on two sides of a network that can be split between them. */
export interface SplitSentinel {
  /** `redis+sentinel://…`, with all three Sentinels; for processes of both sides. */
  readonly url: string;
  /** The master at the start, with one of the Sentinels and whoever connects from an ordinary address. */
  readonly near: LocalRedis;
  /**
   * Its two replicas (one has to be left for the other when that has become the master and must not be alone), with a
   * Sentinel each and whoever connects from `FAR_ADDRESS`.
   */
  readonly far: readonly LocalRedis[];
  /** The server that the Sentinels of a side name. */
  masterOf(side: Side): Promise<LocalRedis | undefined>;
  /** Nothing gets from one side to the other, and nobody is told. Bytes that are held arrive when it is over. */
  split(bytes: 'held' | 'lost'): Promise<void>;
  /** Ends the split; gives how many bytes it had kept back. */
  heal(): Promise<number>;
  stop(): Promise<void>;
}

/** Connections from here come from the far side. Linux has all of 127.0.0.0/8 without any setting up. */
export const FAR_ADDRESS = '127.0.2.1';

const SIDES: readonly Side[] = ['near', 'far', 'far'];
const READY_MS = 30_000;

/**
 * Starts a master, two replicas and three Sentinels, all real processes on loopback. Each has a proxy as its only known
 * address: the master's side and the other are told apart by where a connection comes from, so it takes no root.
 */
export async function startSplitSentinel({
  downAfterMs = 3000,
  args = [],
}: SplitSentinelOptions = {}): Promise<SplitSentinel> {
  const doors: ChaosProxy[] = [];
  const servers: LocalRedis[] = [];
  const sentinels: SentinelProcess[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  removeWithThisProcess(folder);
  const stop = async () => {
    await Promise.all(sentinels.map(({ process }) => process.stop()));
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all(doors.map((door) => door.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  const openDoor = async (side: Side) => {
    const port = await freePort();
    const affects = (address: string) => (address === FAR_ADDRESS) !== (side === 'far');
    const door = await startChaosProxy(`redis://127.0.0.1:${port}`, { affects });
    doors.push(door);
    return { port, announced: door.port };
  };
  const startServer = async (side: Side, replicaOf?: number) => {
    const { port, announced } = await openDoor(side);
    const own = [
      ...['--replica-announce-ip', '127.0.0.1', '--replica-announce-port', String(announced)],
      ...(side === 'far' ? ['--bind-source-addr', FAR_ADDRESS] : []),
      ...(replicaOf === undefined ? [] : ['--replicaof', '127.0.0.1', String(replicaOf)]),
    ];
    const server = await startRedis({ port, args: [...own, ...args] });
    servers.push(server);
    return { server, announced };
  };
  try {
    const near = await startServer('near');
    const far = [await startServer('far', near.announced), await startServer('far', near.announced)];
    const announcedPorts: number[] = [];
    for (const [index, side] of SIDES.entries()) {
      const { port, announced } = await openDoor(side);
      announcedPorts.push(announced);
      sentinels.push(
        await launchSentinel({
          file: join(folder, `sentinel-${index}.conf`),
          port,
          announcePort: announced,
          masterPort: near.announced,
          downAfterMs,
          ...(side === 'far' ? { sourceAddress: FAR_ADDRESS } : {}),
        }),
      );
    }
    const known = { replicas: far.length, sentinels: SIDES.length };
    await eventually(
      async () => (await Promise.all(sentinels.map(({ port }) => knowsAll(port, known)))).every(Boolean),
      { timeoutMs: READY_MS, intervalMs: 100, message: 'the Sentinels to know each other and the replicas' },
    );
    const keptBack = () =>
      doors
        .map((door) => door.counts())
        .flatMap((counts) => [counts['to-client'], counts['to-server']])
        .reduce((total, { held, swallowed }) => total + held + swallowed, 0);
    let keptBackBefore = 0;
    return {
      url: sentinelUrl(announcedPorts),
      near: near.server,
      far: far.map(({ server }) => server),
      masterOf: async (side) => {
        const named = await masterPortOf(sentinels[SIDES.indexOf(side)]!.port);
        return [near, ...far].find(({ announced }) => announced === named)?.server;
      },
      split: async (bytes) => {
        keptBackBefore = keptBack();
        await Promise.all(doors.map((door) => door.setMode({ kind: 'black-hole', bytes })));
      },
      heal: async () => {
        const bytes = keptBack() - keptBackBefore;
        await Promise.all(doors.map((door) => door.setMode({ kind: 'pass' })));
        return bytes;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
