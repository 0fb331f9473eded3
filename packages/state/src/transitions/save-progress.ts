import type { StoredCheckpoint } from '../step-header.ts';
import { type ProgressRecord, parseProgress } from '../stored-progress.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { AttemptAddress, StepAddress } from './addresses.ts';
import { checkpointParts } from './argument-texts.ts';

/** What an attempt saves inside its step, and what of it cannot be trusted. */
export const progressTransitions = (batch: TransitionBatch) => ({
  async saveProgress(a: AttemptAddress, stateJson: string, checkpoint: StoredCheckpoint): Promise<boolean> {
    const parts = checkpointParts(checkpoint, a.createdAt);
    const fence = a.fence - a.createdAt;
    const reply = await batch.apply(a.tag, 'save-progress', [a.runId, a.key, fence, a.attemptId, stateJson, parts]);
    return reply[0] === 'saved';
  },

  /** What earlier attempts have saved, unverified. */
  async loadProgress(a: AttemptAddress): Promise<ProgressRecord> {
    const [newest, ...places] = await batch.apply(a.tag, 'load-progress', [a.runId, a.key]);
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
    const reply = await batch.apply(a.tag, 'set-aside-progress', [
      a.runId,
      a.key,
      a.fence - a.createdAt,
      a.attemptId,
      newest === undefined ? '' : `${newest.seq}|${newest.checksum}`,
      places.join(''),
      dataJson,
    ]);
    return reply[0] === 'set-aside';
  },

  async reportCorruption(a: StepAddress, dataJson: string): Promise<void> {
    await batch.apply(a.tag, 'report-corruption', [a.runId, a.key, dataJson]);
  },
});
