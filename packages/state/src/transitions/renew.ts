import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const leaseTransitions = (batch: TransitionBatch) => ({
  /** Renews a worker's lease in one partition; answers Redis' clock and the runs that began to end since `endingSince`. */
  async renew(tag: string, worker: string, endingSince: number): Promise<{ now: number; ending: string[] }> {
    const [now, ...ending] = await batch.apply(tag, 'renew', pack('renew', { worker, endingSince }));
    return { now: Number(now), ending };
  },

  async leave(tag: string, worker: string): Promise<void> {
    await batch.apply(tag, 'leave', pack('leave', { worker }));
  },
});
