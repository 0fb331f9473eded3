import { findRedisServer, startCluster, startRedis } from '@flotilla/local-fleet';

/** Where the set-up leaves the server for the teardown; both run in Jest's main process. */
export const sharedServer: { redis?: { stop(): Promise<void> } } = {};

/**
 * Starts the Redis that test files share, unless one was named or there is none (then `sharedRedis` says so):
 * one server, or with FLOTILLA_TEST_REDIS=cluster a Cluster of three.
 */
export default async function globalSetup(): Promise<void> {
  if (process.env['FLOTILLA_TEST_REDIS_URL'] || findRedisServer() === undefined) return;
  const kind = process.env['FLOTILLA_TEST_REDIS'] || 'server';
  if (kind !== 'server' && kind !== 'cluster') throw new Error('FLOTILLA_TEST_REDIS is server or cluster');
  const redis = await (kind === 'cluster' ? startCluster() : startRedis());
  sharedServer.redis = redis;
  process.env['FLOTILLA_TEST_REDIS_URL'] = redis.url;
}
