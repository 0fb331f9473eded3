import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { Loop } from './loop.ts';

export interface PruneDependencies {
  state: State<Plan>;
  /** As it is now: less when storage is tight. */
  retentionMs: () => number;
  logger: Logger;
}

const INTERVAL_MS = 10_000;
/** Runs of one slice: UNLINK frees them in the background, so a slice holds Redis for well under a millisecond. */
const SLICE = 50;

/** Removes runs that ended longer ago than the retention, in slices that never block Redis. */
export function createPruneLoop(dependencies: PruneDependencies): Loop {
  return new Loop({
    name: 'prune-runs',
    turn: () => turn(dependencies),
    intervalMs: Math.min(INTERVAL_MS, Math.max(100, dependencies.retentionMs() / 10)),
    logger: dependencies.logger,
  });
}

async function turn({ state, retentionMs }: PruneDependencies): Promise<number | undefined> {
  const until = (await state.now()) - retentionMs();
  const counts = await Promise.all(
    state.tags.map(async (tag) => {
      const ended = await state.listEnded(tag, until, SLICE);
      await Promise.all(ended.map((runId) => state.transitions.pruneRun(tag, runId)));
      return ended.length;
    }),
  );
  return counts.some((count) => count === SLICE) ? 10 : undefined;
}
