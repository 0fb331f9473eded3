import type { Plan } from '@flotilla/engine';
import { type State, stateKey } from '@flotilla/state';

/** Entries of one ZSCAN: what Redis does in less than a millisecond. */
const ENTRIES_AT_ONCE = 500;

/**
 * Has all parked steps looked at now. Those that still nobody can take are parked again; an entry that is taken away
 * meanwhile stays away.
 */
export async function wakeParkedSteps(state: State<Plan>): Promise<void> {
  await Promise.all(state.tags.map((tag) => wakePartition(state, stateKey(tag, 'due'))));
}

async function wakePartition({ client }: State<Plan>, due: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, found] = await client.zscan(due, cursor, 'MATCH', 'p|*', 'COUNT', ENTRIES_AT_ONCE);
    cursor = next;
    if (found.length === 0) continue;
    const [seconds] = await client.time();
    const now = Number(seconds) * 1000;
    const scores: (string | number)[] = [];
    for (let index = 0; index < found.length; index += 2) scores.push(now, found[index]!);
    await client.zadd(due, 'XX', 'LT', ...scores);
  } while (cursor !== '0');
}
