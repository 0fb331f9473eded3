/**
 * On a standalone Redis one script call looks at all partitions, and must stay under 5 ms: so many entries take it 2 to
 * 3 ms. The partitions that are looked at share them.
 */
const ENTRIES_A_CALL = 128;
const LEAST_OF_ONE = 4;
/** Then the turn ends, so that its loop is seen to be alive. */
const MOST_ROUNDS = 16;

/**
 * Looks at the entries of all partitions, and goes on at once with those that have more than one look takes.
 * `lookAt` answers how many entries it looked at, whatever became of them. Answers whether there may be more.
 */
export async function drainPartitions(
  tags: readonly string[],
  lookAt: (tag: string, limit: number) => Promise<number>,
): Promise<boolean> {
  let full = tags;
  for (let round = 0; round < MOST_ROUNDS && full.length > 0; round += 1) {
    const limit = Math.max(LEAST_OF_ONE, Math.floor(ENTRIES_A_CALL / full.length));
    const counts = await Promise.all(full.map((tag) => lookAt(tag, limit)));
    full = full.filter((_, index) => counts[index]! >= limit);
  }
  return full.length > 0;
}
