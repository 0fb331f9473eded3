import { pack } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const pruneTransitions = (batch: TransitionBatch) => ({
  async sweepRun(tag: string, runId: string, keys: readonly StepKey[]): Promise<void> {
    await batch.apply(tag, 'sweep-run', [...pack('sweep-run', { runId }), ...keys]);
  },

  async pruneRun(tag: string, runId: string): Promise<boolean> {
    return (await batch.apply(tag, 'prune-run', pack('prune-run', { runId })))[0] === 'pruned';
  },
});
