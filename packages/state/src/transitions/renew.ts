import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export interface Renewal {
  /** Redis' clock. */
  now: number;
  /** The lease had run out, or there was none: attempts may have been given to others since. */
  hadEnded: boolean;
  /** Run ids. */
  ending: string[];
}

export const leaseTransitions = (batch: TransitionBatch) => ({
  /** Renews a worker's lease in one partition; answers Redis' clock and the runs that began to end since `endingSince`. */
  async renew(tag: string, worker: string, endingSince: number): Promise<Renewal> {
    const [now, hadEnded, ...ending] = await batch.apply(tag, 'renew', pack('renew', { worker, endingSince }));
    return { now: Number(now), hadEnded: Number(hadEnded) === 1, ending };
  },

  async leave(tag: string, worker: string): Promise<void> {
    await batch.apply(tag, 'leave', pack('leave', { worker }));
  },
});
