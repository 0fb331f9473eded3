import { PREFIX, RETRIED_MAP, STEP } from '../format.ts';
import { chainField, headerField, itemField, lossesField, outputField } from '../run-fields.ts';
import type { StepHeader } from '../step-header.ts';
import { type MapSettings, modeText } from '../transitions/start-waiting.ts';
import type { RunReset } from './run-reset.ts';

export interface MapToReset {
  /** Of the map's step. */
  index: number;
  header: StepHeader;
  createdAt: number;
  /** Which of its items have succeeded. */
  succeeded: readonly boolean[];
  /** The map's list is the same as before: items that succeeded are not made again. */
  keepsItems: boolean;
  /** Items that succeeded and have been undone, by their keys. */
  undone: ReadonlySet<string>;
  settings: Pick<MapSettings, 'concurrency' | 'toleratedFailures' | 'mode'>;
}

const nextItemField = (itemKey: string) => `${PREFIX.nextItem}${itemKey}`;

/**
 * Makes a map that had begun start anew, or go on with the items that have not succeeded. Answers how many items it has
 * then. What follows an item is the next number, unless that item is kept: then a field of it says which is next.
 */
export async function resetMap(map: MapToReset, reset: RunReset): Promise<number> {
  const { index, header, keepsItems, undone } = map;
  const key = String(index);
  const items = header.map?.items ?? 0;
  const isMade = map.succeeded.map((kept, item) => keepsItems && kept && !undone.has(`${key}.${item}`));
  for (let item = 0; item < items; item += 1) {
    const itemKey = `${key}.${item}`;
    if (!keepsItems) await reset.remove(itemField(itemKey));
    await reset.remove(nextItemField(itemKey));
    if (isMade[item]) continue;
    const keepsProgress = keepsItems && !undone.has(itemKey);
    await reset.resetStep(itemKey, { keepsProgress, hasHeader: true });
    await reset.remove(chainField(itemKey));
  }
  if (!keepsItems) {
    await reset.resetStep(key, { keepsProgress: false, hasHeader: true });
    return 0;
  }
  await reset.remove(outputField(key), lossesField(key));
  await reset.set(headerField(key), await headerOfRetried(map, isMade, reset));
  return items;
}

/** Hands out the first items that are open, and writes what follows those that are passed over. */
async function headerOfRetried(map: MapToReset, isMade: readonly boolean[], reset: RunReset): Promise<string> {
  const { index, header, createdAt } = map;
  const { concurrency, toleratedFailures, mode } = map.settings;
  const items = isMade.length;
  const open = isMade.flatMap((made, item) => (made ? [] : [item]));
  const next = (open.slice(0, concurrency).at(-1) ?? items - 1) + 1;
  let following = items;
  for (let item = items - 1; item >= next; item -= 1) {
    if (!isMade[item]) following = item;
    else if (item === next || !isMade[item - 1]) await reset.set(nextItemField(`${index}.${item}`), following);
  }
  const startedAt = (header.startedAt ?? createdAt) - createdAt;
  const modePart = modeText(mode);
  return [
    ...[STEP.mapRunning, items, next, items - open.length, 0, concurrency, toleratedFailures, startedAt, RETRIED_MAP],
    ...(modePart === '' ? [] : [modePart]),
  ].join('|');
}
