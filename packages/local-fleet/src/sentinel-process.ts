import { writeFile } from 'node:fs/promises';
import { type StartedProcess, startProcess } from './child-process.ts';
import { askInline } from './inline-command.ts';
import { findRedisServer } from './local-redis.ts';

export interface SentinelProcessOptions {
  /** It keeps what it learns in this file. */
  file: string;
  port: number;
  masterPort: number;
  /** How long a master must be silent until it counts as down. */
  downAfterMs: number;
  /** Where the others are told to find it. Default: its port. */
  announcePort?: number;
  /** The loopback address that its connections come from. Default: the system's choice. */
  sourceAddress?: string;
}

export interface SentinelProcess {
  readonly process: StartedProcess;
  readonly port: number;
}

const MASTER_NAME = 'flotilla';
const QUORUM = 2;
const FAILOVER_TIMEOUT_MS = 10_000;

export async function launchSentinel({
  file,
  port,
  masterPort,
  downAfterMs,
  announcePort,
  sourceAddress,
}: SentinelProcessOptions): Promise<SentinelProcess> {
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    ...(sourceAddress === undefined ? [] : [`bind-source-addr ${sourceAddress}`]),
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} ${QUORUM}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
    ...(announcePort === undefined ? [] : ['sentinel announce-ip 127.0.0.1', `sentinel announce-port ${announcePort}`]),
    '',
  ];
  await writeFile(file, lines.join('\n'));
  const libraryPath = process.env['FLOTILLA_REDIS_LIBRARY_PATH'];
  const started = await startProcess(findRedisServer()!, [file, '--sentinel'], {
    keepLines: 500,
    ...(libraryPath === undefined ? {} : { env: { ...process.env, LD_LIBRARY_PATH: libraryPath } }),
  });
  return { process: started, port };
}

/** `redis+sentinel://…` with these Sentinels. */
export function sentinelUrl(ports: readonly number[]): string {
  return `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`;
}

/** True when the Sentinel on this port knows so many replicas and, itself included, so many Sentinels. */
export async function knowsAll(port: number, known: { replicas: number; sentinels: number }): Promise<boolean> {
  const text = await askInline(port, 'INFO sentinel');
  return text.includes(`slaves=${known.replicas},sentinels=${known.sentinels}`) && text.includes('status=ok');
}

/** The port of the master that the Sentinel on this port names; undefined when it does not answer. */
export async function masterPortOf(port: number): Promise<number | undefined> {
  const answer = await askInline(port, `SENTINEL get-master-addr-by-name ${MASTER_NAME}`);
  const named = /\r\n(\d+)\r\n$/.exec(answer)?.[1];
  return named === undefined ? undefined : Number(named);
}
