import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { isTransientRedisError } from '@flotilla/redis';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';

/**
 * Fails a run whose stored fields or definition are damaged, with the reason as its error; where this shows in a cleanup, only
 * that. Where not even the run's status can be read nothing that a scheduler may do helps it: that is logged. Rejects only
 * when Redis does not serve.
 */
export async function failDamaged(
  { runId, key }: { runId: string; key?: string | undefined },
  { state, logger }: { state: State<Plan>; logger: Logger },
  message = 'stored fields of the run are damaged',
  reason: 'DATA_CORRUPTION' | 'INTERNAL' = 'DATA_CORRUPTION',
): Promise<void> {
  try {
    await state.failCorrupt({ runId, key }, message, reason);
    logger.error({ runId, key, reason, message }, 'run (or cleanup) cannot continue; marking it failed');
  } catch (error) {
    const code = isFlotillaError(error) ? error.code : 'INTERNAL';
    if (code === 'REDIS_UNAVAILABLE' || code === 'STORAGE_FULL' || isTransientRedisError(error)) throw error;
    logger.error({ runId, key, error }, 'run data is too corrupt to mark the run failed');
  }
}
