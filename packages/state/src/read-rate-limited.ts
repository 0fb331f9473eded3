import type { RedisClient } from '@flotilla/redis';
import { stateKey } from './keys.ts';
import { rateLimitedField } from './run-fields.ts';
import type { AttemptAddress } from './transitions/addresses.ts';

/** How many attempts of a step a rate limit has ended since its first attempt, of which the time on Redis' clock is given. */
export async function readRateLimited(
  client: RedisClient,
  { tag, runId, key, createdAt }: AttemptAddress,
  firstAt: number,
): Promise<number> {
  const stored = await client.hget(stateKey(tag, 'run', runId), rateLimitedField(key));
  const [since, count] = (stored ?? '').split('|');
  return createdAt + Number(since) === firstAt ? Number(count ?? 0) : 0;
}
