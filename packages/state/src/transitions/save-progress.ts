import { pack } from '../pack-arguments.ts';
import type { StoredCheckpoint } from '../step-header.ts';
import { type ProgressRecord, parseProgress } from '../stored-progress.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import { type AttemptAddress, attemptArguments, type StepAddress } from './addresses.ts';
import { checkpointParts } from './argument-texts.ts';

/** What an attempt saves inside its step, and what of it cannot be trusted. */
export const progressTransitions = (batch: TransitionBatch) => ({
  async saveProgress(a: AttemptAddress, stateJson: string, checkpoint: StoredCheckpoint): Promise<boolean> {
    const parts = checkpointParts(checkpoint, a.createdAt);
    const args = pack('save-progress', { ...attemptArguments(a), state: stateJson, checkpoint: parts });
    const reply = await batch.apply(a.tag, 'save-progress', args);
    return reply[0] === 'saved';
  },

  /** What earlier attempts have saved, unverified. */
  async loadProgress(a: AttemptAddress): Promise<ProgressRecord> {
    const args = pack('load-progress', { runId: a.runId, key: a.key });
    const [newest, ...places] = await batch.apply(a.tag, 'load-progress', args);
    return parseProgress(newest, places, a.createdAt);
  },

  /**
   * Takes progress that cannot be trusted out of use, and says so in the history. `newest` is what counts from now on.
   * False when the attempt has been superseded.
   */
  async setAsideProgress(
    a: AttemptAddress,
    newest: { seq: number; checksum: string } | undefined,
    places: readonly number[],
    dataJson: string,
  ): Promise<boolean> {
    const args = pack('set-aside-progress', {
      ...attemptArguments(a),
      newest: newest && `${newest.seq}|${newest.checksum}`,
      places: places.join(''),
      data: dataJson,
    });
    const reply = await batch.apply(a.tag, 'set-aside-progress', args);
    return reply[0] === 'set-aside';
  },

  async reportCorruption(a: StepAddress, dataJson: string): Promise<void> {
    const args = pack('report-corruption', { runId: a.runId, key: a.key, data: dataJson });
    await batch.apply(a.tag, 'report-corruption', args);
  },
});
