import { pack, packRepeated } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const dispatchTransitions = (batch: TransitionBatch) => ({
  /** Acknowledges outbox entries and keeps timers: letter, step key, run, in ms. */
  async dispatched(tag: string, entryIds: readonly string[], timers: readonly (string | number)[]): Promise<void> {
    await batch.apply(tag, 'dispatched', [
      ...pack('dispatched', { entryCount: entryIds.length }),
      ...entryIds,
      ...timers,
    ]);
  },

  /** This worker cannot compile the definition: a scheduler parks the step, uncharged, for another worker. */
  async refuseDefinition(tag: string, runId: string, definitionHash: string, key: StepKey): Promise<void> {
    await batch.apply(tag, 'refuse-definition', pack('refuse-definition', { runId, definitionHash, key }));
  },

  async handBack(
    tag: string,
    steps: readonly { runId: string; definitionHash: string; key: StepKey }[],
  ): Promise<void> {
    await batch.apply(
      tag,
      'hand-back',
      steps.flatMap(({ runId, definitionHash, key }) => packRepeated('hand-back', { runId, definitionHash, key })),
    );
  },
});
