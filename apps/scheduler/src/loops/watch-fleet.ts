import type { Logger } from '@flotilla/telemetry';
import type { FleetView } from '../relay/fleet-view.ts';
import { Loop } from './loop.ts';

/** Keeps the relay's view of the fleet young: a task is sized by what steps took a moment ago. */
export function createWatchFleetLoop(fleet: FleetView, logger: Logger): Loop {
  return new Loop({
    name: 'watch-fleet',
    turn: async () => {
      await fleet.refresh();
      return undefined;
    },
    intervalMs: 250,
    logger,
  });
}
