import { FlotillaError } from '@flotilla/contracts';

const PAUSE_MS = 250;

/** True when Redis did not serve: nobody's failure, and it passes. */
export function isRedisOutage(error: unknown): boolean {
  return error instanceof FlotillaError && (error.code === 'REDIS_UNAVAILABLE' || error.code === 'STORAGE_FULL');
}

/**
 * Repeats a transition until Redis has answered it. One that was not answered may have been applied, and what it has
 * claimed this worker's lease would keep for ever; repeated with the same attemptId it is harmless and tells.
 */
export async function retryUntilAnswered<T>(transition: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await transition();
    } catch (error) {
      if (!isRedisOutage(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
