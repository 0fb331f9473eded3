import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import type { Metrics } from '../http/metrics.ts';
import { Loop } from './loop.ts';

const INTERVAL_MS = 5000;

/** Keeps the metric of runs that nobody knows to be undone: one to alert on. */
export function createCountFailedCleanupsLoop({
  state,
  metrics,
  logger,
}: {
  state: State<Plan>;
  metrics: Pick<Metrics, 'gauge'>;
  logger: Logger;
}): Loop {
  return new Loop({
    name: 'count-failed-cleanups',
    turn: async () => {
      const help = 'Ended runs of which compensations or cleanups have failed for good';
      metrics.gauge('flotilla_runs_with_failed_cleanups', help, await state.countFailedCleanups());
      return undefined;
    },
    intervalMs: INTERVAL_MS,
    logger,
  });
}
