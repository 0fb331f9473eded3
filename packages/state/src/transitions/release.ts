import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import { type AttemptAddress, attemptArguments } from './addresses.ts';

/** Attempts that end without a result, uncharged. */
export const releaseTransitions = (batch: TransitionBatch) => ({
  /** True when the step is ready for another worker; false when the run ends or the attempt was superseded. */
  async release(a: AttemptAddress, reason: string): Promise<boolean> {
    const reply = await batch.apply(a.tag, 'release', pack('release', { ...attemptArguments(a), reason }));
    return reply[0] === 'released';
  },

  /**
   * Parks the step of a running attempt, uncharged: what it needs cannot be had now. `reason` is what people read
   * (`breaker:payments`); the relay looks at the step again in `againInMs`. True when it is parked; false when the run
   * ends or the attempt was superseded.
   */
  async parkAttempt(a: AttemptAddress, reason: string, againInMs: number): Promise<boolean> {
    const args = pack('park-attempt', { ...attemptArguments(a), reason, againInMs: Math.round(againInMs) });
    const reply = await batch.apply(a.tag, 'park-attempt', args);
    return reply[0] === 'parked';
  },
});
