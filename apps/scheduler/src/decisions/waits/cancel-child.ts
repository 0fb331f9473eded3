import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';

/** Cancels a child run whose parent has ended; one that is not there, or has ended, is left alone. */
export async function cancelChild(state: State<Plan>, runId: string): Promise<void> {
  try {
    await state.cancelRun(runId, 'the parent run has ended');
  } catch (error) {
    // It was not started, or has been pruned.
    if (!isFlotillaError(error) || error.code !== 'RUN_NOT_FOUND') throw error;
  }
}
