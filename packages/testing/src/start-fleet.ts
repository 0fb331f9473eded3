import { type Fleet, type FleetOptions, startFleet as startLocalFleet } from '@flotilla/local-fleet';
import { sharedRedis } from './shared-redis.ts';

export interface TestFleetOptions extends Omit<FleetOptions, 'redis'> {
  /** Default: the Redis that all test files share. */
  redis?: { readonly url: string };
}

/** Starts schedulers and workers on the Redis that all test files share, unless another is given. */
export function startFleet(options: TestFleetOptions): Promise<Fleet> {
  return startLocalFleet({ ...options, redis: options.redis ?? sharedRedis() });
}
