import type { DueLetter } from '../format.ts';
import { pack, packRepeated } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';

/** An entry for the due index. */
export interface DueTimer {
  letter: DueLetter;
  key: StepKey;
  runId: string;
  inMs: number;
}

export const dispatchTransitions = (batch: TransitionBatch) => ({
  /** Acknowledges outbox entries and keeps timers. A timer that is there stays as it is. */
  async dispatched(tag: string, entryIds: readonly string[], timers: readonly DueTimer[]): Promise<void> {
    const args = pack('dispatched', { entryCount: entryIds.length });
    for (const id of entryIds) args.push(id);
    for (const { letter, key, runId, inMs } of timers) {
      args.push(...packRepeated('dispatched', { letter, key, runId, inMs }));
    }
    await batch.apply(tag, 'dispatched', args);
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
