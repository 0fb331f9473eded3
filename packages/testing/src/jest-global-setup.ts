import { findRedisServer, type LocalRedis, startRedis } from './local-redis.ts';

/** Where the set-up leaves the server for the teardown; both run in Jest's main process. */
export const sharedServer: { redis?: LocalRedis } = {};

/** Starts the Redis that test files share, unless one was named or there is none (then `sharedRedis` says so). */
export default async function globalSetup(): Promise<void> {
  if (process.env['FLOTILLA_TEST_REDIS_URL'] || findRedisServer() === undefined) return;
  sharedServer.redis = await startRedis();
  process.env['FLOTILLA_TEST_REDIS_URL'] = sharedServer.redis.url;
}
