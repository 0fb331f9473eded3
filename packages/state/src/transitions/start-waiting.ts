import type { TransitionBatch } from '../transition-batch.ts';
import type { FiredStep, StepAddress } from './addresses.ts';
import { joinLetter, type StepGroup } from './groups-and-edges.ts';

/** Steps that a scheduler has wait: for a time, for their items, for what they need. */
export const waitingTransitions = (batch: TransitionBatch) => ({
  async startDelay(a: FiredStep, forMs: number): Promise<void> {
    await batch.apply(a.tag, 'start-delay', [a.runId, a.key, forMs, a.opening ?? '']);
  },

  /** `itemsJson` one JSON text an item. Reply: started, or the reason why not (`budget`, `cancelled`, `reopened`, a state). */
  async startMap(
    a: FiredStep,
    itemsJson: readonly string[],
    settings: { concurrency: number; toleratedFailures: number; maxSteps: number | undefined; definitionSteps: number },
  ): Promise<'started' | string> {
    const page = 500;
    for (let first = 0; first < itemsJson.length; first += page) {
      const reply = await batch.apply(a.tag, 'stage-items', [
        a.runId,
        a.key,
        a.opening ?? '',
        first,
        ...itemsJson.slice(first, first + page),
      ]);
      if (reply[0] !== 'staged') return reply[1]!;
    }
    const reply = await batch.apply(a.tag, 'start-map', [
      a.runId,
      a.key,
      itemsJson.length,
      settings.concurrency,
      settings.toleratedFailures,
      settings.maxSteps ?? '',
      settings.definitionSteps,
      a.opening ?? '',
    ]);
    return reply[0] === 'started' ? 'started' : reply[1]!;
  },

  /** Without a group (cleanups) it is not asked whether the step may begin. */
  async park(a: StepAddress, group: StepGroup | undefined, reason: string, againInMs: number): Promise<void> {
    const groupText = group === undefined ? '' : `${group.group}|${joinLetter(group)}|${group.initial}`;
    await batch.apply(a.tag, 'park', [a.runId, a.key, reason, againInMs, groupText]);
  },
});
