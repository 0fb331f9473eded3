import { FlotillaError, type RunStatus } from '@flotilla/contracts';
import { pack } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import { runStatusOf } from '../run-record.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const deadLetterTransitions = (batch: TransitionBatch) => ({
  /**
   * Takes steps off the list of dead letters; one answer each: whether it was there. `refused` when the run is not one that
   * ended so, or has been opened again since `seen`. @throws FlotillaError RUN_NOT_FOUND
   */
  async discardDeadLetters(
    tag: string,
    runId: string,
    seen: number | undefined,
    keys: readonly StepKey[],
  ): Promise<boolean[] | { refused: RunStatus }> {
    const args = [...pack('discard-dead-letters', { runId, seenOpening: seen }), ...keys];
    const [reply, ...rest] = await batch.apply(tag, 'discard-dead-letters', args);
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    if (reply === 'refused') return { refused: runStatusOf(rest[0]!) };
    return rest.map((was) => was === '1');
  },
});
