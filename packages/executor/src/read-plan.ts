import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { TaskStep } from '@flotilla/queue';
import type { AttemptRuntime } from './attempt-runtime.ts';
import { retryUntilAnswered } from './retry-until-answered.ts';

/**
 * The plan of a run, or undefined: when it is damaged, the run, or the cleanup that is asked for, has been ended then; when it
 * is not understood here, the step has been left to others, and this worker has failed.
 */
export async function readPlan(
  { options }: AttemptRuntime,
  [runId, definitionHash, key]: TaskStep,
): Promise<Plan | undefined> {
  const { state, logger, meter } = options;
  const tag = state.tagOf(runId);
  try {
    return await state.readPlan(tag, definitionHash);
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    if (error.code === 'DEFINITION_NOT_UNDERSTOOD') {
      logger.error({ error, runId, key }, 'a definition does not compile here; leaving its step to other workers');
      meter?.couldNotBegin(`${runId}/${key}`);
      await retryUntilAnswered(() => state.transitions.refuseDefinition(tag, runId, definitionHash, key));
    } else if (error.code === 'DATA_CORRUPTION') await state.failCorrupt({ runId, key }, error.message);
    else throw error;
    return undefined;
  }
}
