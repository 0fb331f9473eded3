import type { Plan } from '@flotilla/engine';
import type { BulkJobs, State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { applyAction } from '../bulk/apply-action.ts';
import { Loop } from './loop.ts';

export interface BulkLoopDependencies {
  state: State<Plan>;
  jobs: BulkJobs;
  schedulerId: string;
  logger: Logger;
}

const INTERVAL_MS = 1000;
/** One scheduler works on a job at a time: 20 runs a slice, 200 a second at most, so that runs themselves come first. */
const SLICE = 20;
const BETWEEN_SLICES_MS = 100;
/** A job whose scheduler has died goes on after this. */
const LEASE_MS = 5000;

/** Carries bulk jobs out, slice by slice. What a scheduler had not recorded when it died is tried again, which is harmless. */
export function createBulkLoop(dependencies: BulkLoopDependencies): Loop {
  return new Loop({
    name: 'run-bulk-jobs',
    turn: () => turn(dependencies),
    intervalMs: INTERVAL_MS,
    logger: dependencies.logger,
  });
}

async function turn({ state, jobs, schedulerId, logger }: BulkLoopDependencies): Promise<number | undefined> {
  const onError = (error: unknown, runId: string) =>
    logger.error({ error, runId }, 'unexpected error in one action of a bulk job');
  let worked = false;
  for (const bulkId of await jobs.listOpen()) {
    const slice = await jobs.claim(bulkId, { scheduler: schedulerId, leaseMs: LEASE_MS, limit: SLICE });
    if (slice === undefined) continue;
    worked = true;
    const items = await Promise.all(slice.targets.map((target) => applyAction(state, target, slice, onError)));
    await jobs.record(slice, items);
  }
  return worked ? BETWEEN_SLICES_MS : undefined;
}
