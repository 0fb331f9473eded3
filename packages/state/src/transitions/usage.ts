import { pack } from '../pack-arguments.ts';
import { parseUsage, type Usage } from '../run-usage.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import { type AttemptAddress, attemptArguments } from './addresses.ts';

export const usageTransitions = (batch: TransitionBatch) => ({
  /**
   * Counts what an attempt has used so far, all of it: a repeated call counts once. Also of one that has been superseded, for
   * it is spent. The run is paused each time that it has used more than another `pauseEach`. What the run has used; undefined
   * when that is gone.
   */
  async countUsage(
    a: AttemptAddress,
    { costMicros, tokens }: Usage,
    pauseEach: Partial<Usage> = {},
  ): Promise<Usage | undefined> {
    const { runId, key, fence } = attemptArguments(a);
    const [reply, cost, all] = await batch.apply(
      a.tag,
      'count-usage',
      pack('count-usage', {
        ...{ runId, key, fence, costMicros, tokens },
        ...{ pauseEachMicros: pauseEach.costMicros, pauseEachTokens: pauseEach.tokens },
      }),
    );
    return reply === 'counted' ? parseUsage(`${cost}|${all}`) : undefined;
  },
});
