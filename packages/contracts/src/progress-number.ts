import type { HistoryEvent } from './views.ts';

/**
 * The number of a step's newest progress checkpoint, from the step's events in their order: each save is one more, and one
 * that was set aside (`usedInstead` in a `checkpoint-corrupt`) leaves the one before it. 0: there is none.
 */
export function newestProgressNumber(events: Iterable<Pick<HistoryEvent, 'type' | 'data'>>): number {
  let newest = 0;
  for (const { type, data } of events) {
    const usedInstead = data?.['usedInstead'];
    if (type === 'checkpoint-saved') newest += 1;
    else if (type === 'checkpoint-corrupt' && typeof usedInstead === 'number') newest = usedInstead;
  }
  return newest;
}
