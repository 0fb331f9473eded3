import type { HistoryEvent } from '@flotilla/contracts';

/**
 * The `seq` of the first event at or after a time, by doubling and halving: a receipt about the end of a long history
 * does not read its beginning. Times in a history never go down. Gives the length of the history when all is older.
 */
export async function findHistoryPosition(
  readOne: (after: number) => Promise<Pick<HistoryEvent, 'at'> | undefined>,
  at: number,
): Promise<number> {
  const isBefore = async (seq: number): Promise<boolean> => {
    const event = await readOne(seq - 1);
    return event !== undefined && event.at < at;
  };
  let low = 0;
  let high = 1;
  while (await isBefore(high - 1)) {
    low = high;
    high *= 2;
  }
  // Everything below `low` is before; `high - 1` is not.
  high -= 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
