import { pack } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const pruneTransitions = (batch: TransitionBatch) => ({
  async sweepRun(tag: string, runId: string, keys: readonly StepKey[]): Promise<void> {
    await batch.apply(tag, 'sweep-run', [...pack('sweep-run', { runId }), ...keys]);
  },

  /**
   * Takes away what is left of a run that has ended; false when it has not. `removeChannels` is called with the stored names
   * of the run's own channels before that, when it has any.
   */
  async pruneRun(
    tag: string,
    runId: string,
    removeChannels: (names: readonly string[]) => Promise<void> = async () => undefined,
  ): Promise<boolean> {
    const prune = (channelsAreGone: string) =>
      batch.apply(tag, 'prune-run', pack('prune-run', { runId, channelsAreGone }));
    let [outcome, channels = ''] = await prune('');
    if (outcome === 'channels') {
      await removeChannels(channels.split(',').filter((name) => name !== ''));
      [outcome] = await prune('1');
    }
    return outcome === 'pruned';
  },
});
