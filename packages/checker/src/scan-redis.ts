import { placeOf } from './key-places.ts';
import type { RedisScan, ScannedIndexes, ScannedKey } from './recording.ts';
import { scanIndexes } from './scan-indexes.ts';

/** Sends one command, such as `client.call` of a Redis client. */
export type SendCommand = (command: string, ...args: string[]) => Promise<unknown>;

const SIZE_COMMANDS: Readonly<Record<string, string>> = {
  list: 'LLEN',
  set: 'SCARD',
  zset: 'ZCARD',
  hash: 'HLEN',
  stream: 'XLEN',
  string: 'STRLEN',
};

/**
 * All keys of a deployment, with the size of those that are no single run. Redis is not stopped meanwhile. `servers`: the
 * server, or every master of a Cluster.
 */
export async function scanRedis(servers: SendCommand | readonly SendCommand[], namespace: string): Promise<RedisScan> {
  const at = Date.now();
  const keys: ScannedKey[] = [];
  const indexes: (ScannedIndexes | undefined)[] = [];
  for (const send of typeof servers === 'function' ? [servers] : servers) {
    const found = await scanServer(send, namespace);
    keys.push(...found);
    const names = found.map(({ key }) => key);
    indexes.push(await scanIndexes(send, names, namespace));
  }
  const scan = { at, namespace, keys: keys.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  const known = indexes.filter((ofServer) => ofServer !== undefined);
  if (known.length < indexes.length) return scan;
  const sets = known.flatMap((ofServer) => ofServer.sets);
  return { ...scan, indexes: { sets, runs: known.flatMap(({ runs }) => runs) } };
}

async function scanServer(send: SendCommand, namespace: string): Promise<ScannedKey[]> {
  const names = new Set<string>();
  let cursor = '0';
  do {
    const reply = (await send('SCAN', cursor, 'MATCH', `{${namespace}*`, 'COUNT', '1000')) as [string, string[]];
    cursor = reply[0];
    // `t1` must not take in the keys of `t12`.
    for (const key of reply[1]) if (/^[}:]/.test(key.slice(namespace.length + 1))) names.add(key);
  } while (cursor !== '0');
  const keys: ScannedKey[] = [];
  for (const key of names) {
    const found = await describeKey(send, key, namespace);
    if (found !== undefined) keys.push(found);
  }
  return keys;
}

/** Keys that nobody removes: they must say themselves when they end. */
const EXPIRING: ReadonlySet<string> = new Set(['idempotency', 'retries', 'parked-behind']);

/** Undefined when it has vanished meanwhile. */
async function describeKey(send: SendCommand, key: string, namespace: string): Promise<ScannedKey | undefined> {
  const name = placeOf(key, namespace)?.name ?? '';
  if (name === 'run' || name === 'history') return { key, type: name === 'run' ? 'hash' : 'list' };
  const type = (await send('TYPE', key)) as string;
  if (type === 'none') return undefined;
  const found: ScannedKey = { key, type };
  const sizeCommand = SIZE_COMMANDS[type];
  if (sizeCommand !== undefined && name !== 'task') found.size = Number(await send(sizeCommand, key));
  if (EXPIRING.has(name)) found.ttlMs = Number(await send('PTTL', key));
  return found;
}
