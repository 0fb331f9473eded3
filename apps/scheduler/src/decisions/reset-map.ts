import { type Plan, type PlanStep, toleratedFailures } from '@flotilla/engine';
import { modeText, type State, type StepHeader, stateKey } from '@flotilla/state';
import type { ResetSlices } from './reset-slices.ts';
import { modeOfItems } from './start-step.ts';

const PAGE = 500;

export interface MapToReset {
  state: State<Plan>;
  tag: string;
  runId: string;
  step: PlanStep;
  header: StepHeader;
  createdAt: number;
  /** The map's list is the same as before: items that succeeded are not made again. */
  keepsItems: boolean;
  /** Items that succeeded and have been undone, by their keys. */
  undone: ReadonlySet<string>;
}

/**
 * Makes a map that had begun start anew, or go on with the items that have not succeeded. Answers how many items it has
 * then. What follows an item is the next number, unless that item is kept: then `j<map>.<item>` says which is next.
 */
export async function resetMap(map: MapToReset, slices: ResetSlices): Promise<number> {
  const { step, header, keepsItems, createdAt, undone } = map;
  const items = header.map!.items;
  const key = String(step.index);
  const isKept = await readKept(map, items);
  const isMade = isKept.map((kept, item) => keepsItems && kept && !undone.has(`${key}.${item}`));
  for (let item = 0; item < items; item += 1) {
    const itemKey = `${key}.${item}`;
    if (!keepsItems) await slices.remove(`i${itemKey}`);
    await slices.remove(`j${itemKey}`);
    if (isMade[item]) continue;
    const keepsProgress = keepsItems && !undone.has(itemKey);
    await slices.resetStep(itemKey, { keepsProgress, hasHeader: true });
    await slices.remove(`c${itemKey}`);
  }
  if (!keepsItems) {
    await slices.resetStep(key, { keepsProgress: false, hasHeader: true });
    return 0;
  }
  const { concurrency } = step.map!;
  const open = isMade.flatMap((made, item) => (made ? [] : [item]));
  const handedOut = open.slice(0, concurrency);
  const next = (handedOut.at(-1) ?? items - 1) + 1;
  let following = items;
  for (let item = items - 1; item >= next; item -= 1) {
    if (!isMade[item]) following = item;
    else if (item === next || !isMade[item - 1]) await slices.set(`j${key}.${item}`, following);
  }
  const startedAt = (header.startedAt ?? createdAt) - createdAt;
  await slices.remove(`o${key}`, `q${key}`);
  const made = items - open.length;
  const mode = modeText(modeOfItems(step.map!, items));
  const tolerated = toleratedFailures(step.map!, items);
  const stored = ['M', items, next, made, 0, concurrency, tolerated, startedAt, 'r', ...(mode === '' ? [] : [mode])];
  await slices.set(`s${key}`, stored.join('|'));
  return items;
}

/** Which items have succeeded. */
export async function readKept(
  { state, tag, runId, step }: Pick<MapToReset, 'state' | 'tag' | 'runId' | 'step'>,
  items: number,
): Promise<boolean[]> {
  const kept: boolean[] = [];
  for (let first = 0; first < items; first += PAGE) {
    const fields = Array.from(
      { length: Math.min(PAGE, items - first) },
      (_, index) => `s${step.index}.${first + index}`,
    );
    const headers = await state.client.hmget(stateKey(tag, 'run', runId), ...fields);
    kept.push(...headers.map((header) => header?.startsWith('S') === true));
  }
  return kept;
}
