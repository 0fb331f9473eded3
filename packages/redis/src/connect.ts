import type { ConnectionOptions } from 'node:tls';
import { certificateHint } from '@flotilla/contracts';
import { Cluster, Redis } from 'ioredis';
import { classifyRedisError, isAccessDenied, RedisUnavailableError, withoutArguments } from './classify-redis-error.ts';
import { type ConnectionRole, clusterOptions, serverOptions } from './connection-settings.ts';
import { DEADLINE_PASSED, startDeadline } from './deadline.ts';
import { type ConnectionErrorReport, limitReports } from './error-reports.ts';
import { describeTarget, parseRedisUrl } from './parse-redis-url.ts';
import { isCluster, type RedisClient } from './redis-client.ts';

export interface RedisConnection {
  readonly client: RedisClient;
  readonly role: ConnectionRole;
  /** Where it leads, without secrets: fit for logs. */
  readonly target: string;
  /** The last error of the connection, until it is ready again. */
  readonly lastError: () => Error | undefined;
}

export interface ConnectOptions {
  /** Shown in CLIENT LIST as `flotilla-<role>-<name>`. Letters, digits, dots, dashes. */
  name?: string;
  /** Told each distinct error of the connection at most once in 10 s. The connection goes on trying by itself. */
  onError?: (report: ConnectionErrorReport) => void;
  /** TLS options (`ca`, `servername`, …) for URLs that ask for TLS. */
  tls?: ConnectionOptions;
}

/**
 * Connects to the Redis of a URL (see `parseRedisUrl`) with the settings of a role, and goes on reconnecting until
 * `closeConnection`. Returns at once: wait with `untilReady` where it matters.
 *
 * @throws FlotillaError REDIS_URL_INVALID
 */
export function connectRedis(url: string, role: ConnectionRole, options: ConnectOptions = {}): RedisConnection {
  const target = parseRedisUrl(url);
  const settings = {
    connectionName: options.name === undefined ? `flotilla-${role}` : `flotilla-${role}-${options.name}`,
    tls: options.tls,
  };
  const client =
    target.kind === 'cluster'
      ? new Cluster(target.nodes, clusterOptions(target, role, settings))
      : new Redis(serverOptions(target, role, settings));

  let lastError: Error | undefined;
  const report = limitReports((found) => options.onError?.(found));
  const onError = (error: Error): void => {
    lastError = withoutArguments(error);
    report(error);
  };
  client.on('error', onError);
  if (isCluster(client)) client.on('node error', onError);
  client.on('ready', () => {
    lastError = undefined;
  });
  return { client, role, target: describeTarget(target), lastError: () => lastError };
}

/**
 * Waits until the connection takes commands.
 *
 * @throws RedisUnavailableError after `deadlineMs`, or as soon as Redis refuses the user or password.
 */
export async function untilReady(
  connection: RedisConnection,
  deadlineMs: number,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const { client } = connection;
  options.signal?.throwIfAborted();
  if (client.status === 'ready') return;
  const deadline = startDeadline(deadlineMs, options.signal);
  const listeners: [string, (error: Error) => void][] = [];
  const listen = (event: string, listener: (error: Error) => void): void => {
    listeners.push([event, listener]);
    client.on(event as 'error', listener);
  };
  try {
    await deadline.race(
      new Promise<void>((resolve, reject) => {
        listen('ready', () => resolve());
        listen('end', () => reject(new Error('Connection is closed.')));
        const onError = (error: Error): void => {
          if (isAccessDenied(error)) reject(error);
        };
        listen('error', onError);
        if (isCluster(client)) listen('node error', onError);
      }),
    );
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const cause = error === DEADLINE_PASSED ? connection.lastError() : withoutArguments(error as Error);
    throw new RedisUnavailableError(
      `cannot connect to ${connection.target}: ${cause?.message || `no answer within ${deadlineMs} ms`}${certificateHint((cause as { code?: unknown } | undefined)?.code)}`,
      { condition: classifyRedisError(cause) ?? 'unreachable', retryAfterMs: 1000, ambiguous: false, cause },
    );
  } finally {
    deadline.end();
    for (const [event, listener] of listeners) client.off(event as 'error', listener);
  }
}

/** Part of the time of a close that is kept for ending the sockets by force. */
const FORCE_MS = 300;

/**
 * Closes a connection: in order (QUIT, after the replies that are due) when Redis answers in time, else by force.
 * Never rejects and never takes longer than `deadlineMs` (at least 300 ms). Says which it was. Safe to call twice.
 */
export async function closeConnection(
  { client, role }: Pick<RedisConnection, 'client' | 'role'>,
  deadlineMs = 2000,
): Promise<'quit' | 'forced'> {
  if (client.status === 'end') return 'quit';
  // A blocking call or a subscription holds QUIT back; there is nothing to wait for.
  const orderly = client.status === 'ready' && role !== 'blocking' && role !== 'subscriber';
  const deadline = startDeadline(Math.max(deadlineMs, FORCE_MS));
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
  let how: 'quit' | 'forced' = 'forced';
  try {
    if (orderly) how = await quitWithin(client, deadline.remainingMs() - FORCE_MS);
    if (how === 'forced') endByForce(client);
    await deadline.race(ended);
  } catch (error) {
    if (error !== DEADLINE_PASSED) throw error;
    how = 'forced'; // the sockets are destroyed by now; only the event did not come
  } finally {
    deadline.end();
  }
  // QUIT ends the connection to the master only, and leaves those that listen to the Sentinels.
  if (how === 'quit' && !isCluster(client) && client.options.sentinels) client.disconnect();
  return how;
}

function endByForce(client: RedisClient): void {
  const betweenTries = client.status === 'reconnecting';
  client.disconnect();
  if (!betweenTries) return;
  // Between two tries to reconnect the client has no socket whose end it would notice: it would stay as it is, and the
  // calls that wait in it would never be rejected. A try that is broken off at once ends it.
  if (isCluster(client)) client.once('+node', () => setImmediate(() => client.disconnect()));
  client.connect().catch(() => undefined);
  if (!isCluster(client)) client.disconnect();
}

async function quitWithin(client: RedisClient, limitMs: number): Promise<'quit' | 'forced'> {
  const deadline = startDeadline(Math.max(0, limitMs));
  try {
    await deadline.race(client.quit());
    return 'quit';
  } catch {
    return 'forced'; // no answer in time, or the connection broke: the caller disconnects
  } finally {
    deadline.end();
  }
}
