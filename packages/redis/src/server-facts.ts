import type { Redis } from 'ioredis';
import { isCommandDenied } from './classify-redis-error.ts';

/** What one server says of itself. Undefined: it did not say, or we may not ask. */
export interface ServerFacts {
  /** host:port, for messages. */
  address: string;
  version: string | undefined;
  maxmemoryPolicy: string | undefined;
  appendOnly: boolean | undefined;
  appendFsync: string | undefined;
  evictedKeys: number | undefined;
  role: string | undefined;
  /** Changes whenever the data may have become older: with a restart, a failover, another server. */
  lineage: string | undefined;
}

/** Asks INFO, and CONFIG for what INFO leaves out. A server that allows neither gives undefined facts. */
export async function readServerFacts(server: Redis): Promise<ServerFacts> {
  const [info, policy, appendOnly, appendFsync] = await Promise.all([
    unlessForbidden(server.info()),
    readSetting(server, 'maxmemory-policy'),
    readSetting(server, 'appendonly'),
    readSetting(server, 'appendfsync'),
  ]);
  const fields = parseInfo(info ?? '');
  const evicted = fields.get('evicted_keys');
  const aof = fields.get('aof_enabled') ?? (appendOnly === undefined ? undefined : appendOnly === 'yes' ? '1' : '0');
  return {
    address: `${server.options.host ?? 'localhost'}:${server.options.port ?? 6379}`,
    version: fields.get('redis_version'),
    maxmemoryPolicy: policy ?? fields.get('maxmemory_policy'),
    appendOnly: aof === undefined ? undefined : aof === '1',
    appendFsync,
    evictedKeys: evicted === undefined ? undefined : Number(evicted),
    role: fields.get('role'),
    lineage: lineageOf(fields),
  };
}

/** A server that was the primary, a replica since, and is the primary again has its run id still. */
function lineageOf(fields: ReadonlyMap<string, string>): string | undefined {
  const runId = fields.get('run_id');
  const replication = fields.get('master_replid');
  return runId === undefined || replication === undefined ? undefined : `${runId}/${replication}`;
}

/** The `name:value` lines of an INFO reply. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const separator = line.indexOf(':');
    if (separator > 0 && !line.startsWith('#')) fields.set(line.slice(0, separator), line.slice(separator + 1).trim());
  }
  return fields;
}

async function readSetting(server: Redis, name: string): Promise<string | undefined> {
  const reply = await unlessForbidden(server.config('GET', name));
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : undefined;
}

/** Managed services take CONFIG away (unknown or renamed command), ACLs may take anything away (NOPERM). */
async function unlessForbidden<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (isCommandDenied(error)) return undefined;
    throw error;
  }
}
