import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import type { BreakerView } from '../decisions/breaker-view.ts';
import type { FleetView } from '../decisions/fleet-view.ts';
import { Loop } from './loop.ts';

export interface WatchFleetDependencies {
  fleet: FleetView;
  breakers: BreakerView;
  state: State<Plan>;
  logger: Logger;
}

/**
 * Keeps the relay's view of the fleet and its breakers young: a task is sized by what steps took a moment ago, and parked
 * steps are looked at when handlers arrive that they may have waited for.
 */
export function createWatchFleetLoop({ fleet, breakers, state, logger }: WatchFleetDependencies): Loop {
  let seen = 0;
  let wakes = 0;
  return new Loop({
    name: 'watch-fleet',
    turn: async () => {
      await Promise.all([fleet.refresh(), breakers.refresh()]);
      // Twice, a turn apart: a step that was being parked when the handler arrived is not found by the first.
      if (fleet.arrivals !== seen) wakes = 2;
      seen = fleet.arrivals;
      if (wakes > 0) {
        await state.wakeParked();
        wakes -= 1;
      }
      return undefined;
    },
    intervalMs: 250,
    logger,
  });
}
