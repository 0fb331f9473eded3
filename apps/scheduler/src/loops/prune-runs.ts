import type { Channels } from '@flotilla/channels';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { Loop } from './loop.ts';

export interface PruneDependencies {
  state: State<Plan>;
  channels: Pick<Channels, 'remove'>;
  /** As it is now: less when storage is tight. */
  retentionMs: () => number;
  logger: Logger;
}

const INTERVAL_MS = 10_000;
/** Runs of one slice: UNLINK frees them in the background, so a slice holds Redis for well under a millisecond. */
const SLICE = 50;
/** Changes that event streams can resume behind: so long ago, and so many a partition. */
const CHANGES_KEPT_MS = 120_000;
const MAX_CHANGES = 10_000;
const CHANGES_A_SLICE = 1000;

/** Removes runs that ended longer ago than the retention, in slices that never block Redis. */
export function createPruneLoop(dependencies: PruneDependencies): Loop {
  return new Loop({
    name: 'prune-runs',
    turn: () => turn(dependencies),
    intervalMs: Math.min(INTERVAL_MS, Math.max(100, dependencies.retentionMs() / 10)),
    logger: dependencies.logger,
  });
}

async function turn({ state, channels, retentionMs }: PruneDependencies): Promise<number | undefined> {
  const now = await state.now();
  const until = now - retentionMs();
  const removeChannels = async (names: readonly string[]) => {
    await Promise.all(names.map((name) => channels.remove(name)));
  };
  const changes = { before: now - CHANGES_KEPT_MS, maxKept: MAX_CHANGES, limit: CHANGES_A_SLICE };
  const counts = await Promise.all(
    state.tags.map(async (tag) => {
      const ended = await state.listEnded(tag, until, SLICE);
      await Promise.all(ended.map((runId) => state.transitions.pruneRun(tag, runId, removeChannels)));
      const forgotten = await state.transitions.tidyIndexes(tag, changes);
      return { pruned: ended.length, forgotten };
    }),
  );
  const hasMore = counts.some(({ pruned, forgotten }) => pruned === SLICE || forgotten >= CHANGES_A_SLICE);
  return hasMore ? 10 : undefined;
}
