import { MAP_MODE } from '../format.ts';
import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { FiredStep, StepAddress } from './addresses.ts';
import { joinLetter, type StepGroup } from './groups-and-edges.ts';

export interface MapSettings {
  concurrency: number;
  toleratedFailures: number;
  maxSteps: number | undefined;
  definitionSteps: number;
  /** How its items end it. Absent: when all have settled. */
  mode?: 'loop' | { neededSuccesses: number } | undefined;
}

export function modeText(mode: MapSettings['mode']): string {
  if (mode === undefined) return '';
  return mode === 'loop' ? MAP_MODE.loop : MAP_MODE.broadcast + mode.neededSuccesses;
}

/** Steps that a scheduler has wait: for a time, for their items, for what they need. */
export const waitingTransitions = (batch: TransitionBatch) => ({
  async startDelay(a: FiredStep, forMs: number): Promise<void> {
    const args = pack('start-delay', { runId: a.runId, key: a.key, forMs, opening: a.opening });
    await batch.apply(a.tag, 'start-delay', args);
  },

  /** `itemsJson` one JSON text an item. Reply: started, or the reason why not (`budget`, `cancelled`, `reopened`, a state). */
  async startMap(a: FiredStep, itemsJson: readonly string[], settings: MapSettings): Promise<'started' | string> {
    const page = 500;
    const fired = { runId: a.runId, key: a.key, opening: a.opening };
    for (let first = 0; first < itemsJson.length; first += page) {
      const reply = await batch.apply(a.tag, 'stage-items', [
        ...pack('stage-items', { ...fired, first }),
        ...itemsJson.slice(first, first + page),
      ]);
      if (reply[0] !== 'staged') return reply[1]!;
    }
    const { concurrency, toleratedFailures, maxSteps, definitionSteps, mode } = settings;
    const items = itemsJson.length;
    const args = pack('start-map', {
      ...fired,
      items,
      concurrency,
      tolerated: toleratedFailures,
      maxSteps,
      definitionSteps,
      mode: modeText(mode),
    });
    const reply = await batch.apply(a.tag, 'start-map', args);
    return reply[0] === 'started' ? 'started' : reply[1]!;
  },

  /** Without a group (cleanups) it is not asked whether the step may begin. */
  async park(a: StepAddress, group: StepGroup | undefined, reason: string, againInMs: number): Promise<void> {
    const groupText = group && `${group.group}|${joinLetter(group)}|${group.initial}`;
    const args = pack('park', { runId: a.runId, key: a.key, reason, againInMs, group: groupText });
    await batch.apply(a.tag, 'park', args);
  },
});
