import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const dispatchTransitions = (batch: TransitionBatch) => ({
  /** Acknowledges outbox entries and keeps timers: letter, step key, run, in ms. */
  async dispatched(tag: string, entryIds: readonly string[], timers: readonly (string | number)[]): Promise<void> {
    await batch.apply(tag, 'dispatched', [entryIds.length, ...entryIds, ...timers]);
  },

  async handBack(
    tag: string,
    steps: readonly { runId: string; definitionHash: string; key: StepKey }[],
  ): Promise<void> {
    await batch.apply(
      tag,
      'hand-back',
      steps.flatMap((step) => [step.runId, step.definitionHash, step.key]),
    );
  },
});
