import type { RedisClient } from '@flotilla/redis';

/** Redis' clock in ms: the only one for what is due, leased or timed. */
export async function readRedisTime(client: RedisClient): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
