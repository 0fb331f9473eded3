import type { ConnectionOptions } from 'node:tls';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisTarget } from './parse-redis-url.ts';
import { SteadySentinelConnector } from './steady-sentinel-connector.ts';

/**
 * What a connection is for.
 * - `commands`: scripts of state, under `retryTransient`: a call fails soon instead of waiting, and is repeated there.
 * - `request`: a call on behalf of an HTTP request: fails at once when Redis is away.
 * - `queue` and `blocking`: for BullMQ, which needs its commands to wait and to be sent again after an outage. A
 *   command time-out would lose what a blocking call has already taken off the queue; a dead socket is found by
 *   `socketTimeout`, which must exceed the longest blocking call (5 s).
 * - `subscriber`: pub/sub; `keepSubscribed` renews subscriptions after an outage.
 */
export type ConnectionRole = 'commands' | 'blocking' | 'queue' | 'subscriber' | 'request';

type RoleSettings = Pick<
  RedisOptions,
  'commandTimeout' | 'enableOfflineQueue' | 'maxRetriesPerRequest' | 'socketTimeout' | 'keepAlive'
>;

const SOCKET_TIMEOUT_MS = 12_000;

const ROLE_SETTINGS: Readonly<Record<ConnectionRole, RoleSettings>> = {
  // Waits for the first connection; in an outage what is under way is sent again once, after the first reconnect.
  commands: { maxRetriesPerRequest: 1, commandTimeout: 5000, socketTimeout: SOCKET_TIMEOUT_MS },
  request: { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2000 },
  queue: { maxRetriesPerRequest: null, socketTimeout: SOCKET_TIMEOUT_MS },
  blocking: { maxRetriesPerRequest: null, socketTimeout: SOCKET_TIMEOUT_MS },
  // Nothing is outstanding on an idle subscription, so only keep-alive probes find a dead peer.
  subscriber: { maxRetriesPerRequest: null, socketTimeout: SOCKET_TIMEOUT_MS, keepAlive: 5000 },
};

const LONGEST_RECONNECT_DELAY_MS = 1000;
const SENTINEL_RECONNECT_DELAY_MS = 10_000;

/** Pause before reconnect number `times` (from 1): doubling from 100 ms, at most 1 s, and half of that by chance. */
export function reconnectDelayMs(times: number, random: () => number = Math.random): number {
  const ceilingMs = Math.min(50 * 2 ** Math.min(times, 10), LONGEST_RECONNECT_DELAY_MS);
  return Math.round(ceilingMs * (0.5 + random() / 2));
}

export interface SettingsOptions {
  /** Shown in CLIENT LIST. */
  connectionName: string;
  /** Merged into the TLS options when the URL asks for TLS: `ca`, `servername` and so on. */
  tls: ConnectionOptions | undefined;
}

/** RESP3 on the wire, replies in the shapes of RESP2: BullMQ needs those. */
interface LegacyReplies {
  replyMapping: 'legacy';
}

/** Options that all connections of a role have, whatever the form of the target. */
function commonOptions(
  target: RedisTarget,
  role: ConnectionRole,
  options: SettingsOptions,
): RedisOptions & LegacyReplies {
  return {
    ...ROLE_SETTINGS[role],
    replyMapping: 'legacy',
    connectionName: options.connectionName,
    connectTimeout: 3000,
    // A frozen peer never closes its side: our own half is not kept open longer than this.
    disconnectTimeout: 100,
    // While Redis loads its data, ask again after a second instead of ten.
    maxLoadingRetryTime: 1000,
    enableAutoPipelining: false,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: options.tls ?? {} } : {}),
  };
}

/** ioredis options for one server or for Sentinel. */
export function serverOptions(
  target: Exclude<RedisTarget, { kind: 'cluster' }>,
  role: ConnectionRole,
  options: SettingsOptions,
): RedisOptions & LegacyReplies {
  const common: RedisOptions & LegacyReplies = {
    ...commonOptions(target, role, options),
    db: target.database,
    retryStrategy: (times) => reconnectDelayMs(times),
    // After a failover behind one address the old connection leads to a replica: connect anew.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
  };
  // See keepSubscribed.
  if (role === 'subscriber') common.autoResubscribe = false;
  if (target.kind === 'standalone') return { ...common, ...target.server };
  return {
    ...common,
    sentinels: target.sentinels,
    name: target.masterName,
    failoverDetector: true,
    Connector: SteadySentinelConnector,
    sentinelCommandTimeout: 2000,
    sentinelRetryStrategy: (times) => reconnectDelayMs(times),
    // The client writes each failure to listen to a dead Sentinel to stderr, and offers no way to stop it: try seldom.
    sentinelReconnectStrategy: () => SENTINEL_RECONNECT_DELAY_MS,
    ...(target.sentinelUsername === undefined ? {} : { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: options.tls ?? {} } : {}),
  };
}

/** ioredis options for a Redis Cluster. */
export function clusterOptions(
  target: Extract<RedisTarget, { kind: 'cluster' }>,
  role: ConnectionRole,
  options: SettingsOptions,
): ClusterOptions & { redisOptions: LegacyReplies } {
  const { enableOfflineQueue = true, ...redisOptions } = commonOptions(target, role, options);
  return {
    enableOfflineQueue,
    redisOptions,
    clusterRetryStrategy: (times) => reconnectDelayMs(times),
    slotsRefreshTimeout: 2000,
    // Certificates are issued to names: do not turn them into addresses.
    ...(target.tls ? { dnsLookup: (address, callback) => callback(null, address) } : {}),
  };
}
