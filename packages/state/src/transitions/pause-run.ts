import { FlotillaError } from '@flotilla/contracts';
import { RUN } from '../format.ts';
import { pack } from '../pack-arguments.ts';
import { runStatusOf } from '../run-record.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const pauseTransitions = (batch: TransitionBatch) => ({
  async pauseOrResume(what: 'pause-run' | 'resume-run', tag: string, runId: string): Promise<void> {
    const [reply, status] = await batch.apply(tag, what, pack(what, { runId }));
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    if (reply === 'refused') {
      // A run that was retried becomes active in a moment.
      const stands = status === RUN.reopening ? 'is being reopened' : `is ${runStatusOf(status!)}`;
      throw new FlotillaError('RUN_NOT_ACTIVE', `run ${runId} ${stands}; it cannot be paused or resumed`);
    }
  },

  /** Sends the next of the steps that were held back while the run was paused; answers how many are left. */
  async sendHeld(tag: string, runId: string): Promise<number> {
    return Number((await batch.apply(tag, 'send-held', pack('send-held', { runId })))[0]);
  },
});
