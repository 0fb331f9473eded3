import {
  type BulkAction,
  type BulkFilter,
  FlotillaError,
  MAX_BULK_RUNS,
  type RunStatus,
  type RunView,
  type StartBulk,
} from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { BulkTarget, State } from '@flotilla/state';

/** States of runs that an action can change. */
const APPLIES_TO: Readonly<Record<BulkAction, ReadonlySet<RunStatus>>> = {
  cancel: new Set(['pending', 'running', 'paused']),
  retry: new Set(['failed', 'timed-out', 'cancelled']),
  redrive: new Set(['failed', 'timed-out']),
  pause: new Set(['pending', 'running']),
  resume: new Set(['paused']),
};
const RUNS_A_PAGE = 500;

type Runs = Pick<State<Plan>, 'listRuns' | 'readRun'>;
type Selection = Pick<StartBulk, 'action' | 'filter' | 'ids'>;

/**
 * The runs that an action is for: those that fit the filter and are in a state that it can change, or each that is named,
 * once. BULK_TOO_LARGE.
 */
export async function selectRuns(runs: Runs, { action, filter, ids = [] }: Selection): Promise<BulkTarget[]> {
  if (filter !== undefined) return selectByFilter(runs, action, filter);
  const named = [...new Set(ids)];
  const views = await Promise.all(named.map((runId) => runs.readRun(runId)));
  return named.map((runId, index) => ({ runId, opening: views[index]?.opening ?? 1 }));
}

async function selectByFilter(runs: Runs, action: BulkAction, filter: BulkFilter): Promise<BulkTarget[]> {
  const targets = new Map<string, BulkTarget>();
  let cursor: string | undefined;
  do {
    const page: { runs: RunView[]; cursor?: string } = await runs.listRuns({ ...filter, cursor, limit: RUNS_A_PAGE });
    for (const { runId, status, opening = 1 } of page.runs) {
      if (APPLIES_TO[action].has(status)) targets.set(runId, { runId, opening });
    }
    if (targets.size > MAX_BULK_RUNS) {
      const message = `more than ${MAX_BULK_RUNS} runs fit: narrow the filter, for example with from and to`;
      throw new FlotillaError('BULK_TOO_LARGE', message);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...targets.values()];
}
