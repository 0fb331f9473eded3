import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export interface TakeUntraced {
  limit: number;
  /** Runs that ended later than this long ago come with a later call. */
  lagMs: number;
  /** A run whose trace nobody has ended is offered again after this long. */
  againInMs: number;
  /** Runs that ended longer ago are left out. */
  maxAgeMs: number;
}

/** Which ended runs have yet to be exported as spans. */
export const traceTransitions = (batch: TransitionBatch) => ({
  takeUntraced(tag: string, options: TakeUntraced): Promise<readonly string[]> {
    return batch.apply(tag, 'take-untraced', pack('take-untraced', { ...options }));
  },

  async endTraces(tag: string, runIds: readonly string[]): Promise<void> {
    await batch.apply(tag, 'end-traces', [...pack('end-traces', {}), ...runIds]);
  },
});
