import type { Plan } from '@flotilla/engine';
import type { StorageLevel, StorageWatch } from '@flotilla/redis';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import type { FleetView } from '../decisions/fleet-view.ts';
import { Loop } from './loop.ts';

export interface WatchStorageDependencies {
  storage: StorageWatch;
  fleet: FleetView;
  state: State<Plan>;
  logger: Logger;
}

const INTERVAL_MS = 500;

/** Keeps an eye on the memory of Redis: has the relay hold steps back when there is hardly any left, and go on afterwards. */
export function createWatchStorageLoop({ storage, fleet, state, logger }: WatchStorageDependencies): Loop {
  let former: StorageLevel = 'normal';
  let wakes = 0;
  return new Loop({
    name: 'watch-storage',
    turn: async () => {
      const level = await storage.look();
      fleet.isHeldByStorage = level === 'holding';
      if (level !== former) {
        const message = storage.problems[0]?.message ?? 'Redis has room again';
        if (level === 'normal') logger.info({ share: storage.share }, message);
        else logger.warn({ level, share: storage.share }, message);
        // Twice, a turn apart: a step that was being parked meanwhile is not found by the first.
        if (former === 'holding') wakes = 2;
        former = level;
      }
      if (wakes > 0 && level !== 'holding') {
        await state.wakeParked();
        wakes -= 1;
      }
      return undefined;
    },
    intervalMs: INTERVAL_MS,
    logger,
  });
}

/** Share of the retention that ended runs are kept at a level; results can be read for a minute in any case. */
const RETENTION_SHARE: Record<StorageLevel, number> = { normal: 1, tight: 0.25, refusing: 0.1, holding: 0 };
const LEAST_RETENTION_MS = 60_000;

/** How long ended runs are kept while storage is at a level: never longer than configured. */
export function retentionAt(level: StorageLevel, retentionMs: number): number {
  return Math.min(retentionMs, Math.max(LEAST_RETENTION_MS, retentionMs * RETENTION_SHARE[level]));
}
