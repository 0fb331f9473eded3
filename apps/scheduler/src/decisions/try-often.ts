import { type ErrorCode, isFlotillaError } from '@flotilla/contracts';
import { isTransientRedisError } from '@flotilla/redis';

/** Pauses between tries of what fails although Redis answers. */
const PAUSES_MS = [50, 150, 300];

/** Trying these again would not help. */
const LASTING: ReadonlySet<ErrorCode> = new Set(['DEFINITION_NOT_UNDERSTOOD', 'RUN_NOT_FOUND', 'DATA_CORRUPTION']);

export type Tried<Result> = { done: Result } | { error: unknown; code: ErrorCode };

/**
 * Does work that may be repeated, a few times if need be; answers its last error when it cannot be done.
 *
 * @throws what says that Redis does not serve, however the library says so: the work is for later then.
 */
export async function tryOften<Result>(work: () => Promise<Result>): Promise<Tried<Result>> {
  for (let tries = 0; ; tries += 1) {
    try {
      return { done: await work() };
    } catch (error) {
      const code = isFlotillaError(error) ? error.code : 'INTERNAL';
      if (code === 'REDIS_UNAVAILABLE' || code === 'STORAGE_FULL' || isTransientRedisError(error)) throw error;
      const pauseMs = LASTING.has(code) ? undefined : PAUSES_MS[tries];
      if (pauseMs === undefined) return { error, code };
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
