import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export const indexTransitions = (batch: TransitionBatch) => ({
  /** How many changes were forgotten: with `limit` of them there may be more. */
  async tidyIndexes(tag: string, bounds: { before: number; maxKept: number; limit: number }): Promise<number> {
    return Number((await batch.apply(tag, 'tidy-indexes', pack('tidy-indexes', bounds)))[0]);
  },
});
