import { type BulkAction, isFlotillaError, type RunStatus } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { classifyRedisError } from '@flotilla/redis';
import type { BulkItemRecord, BulkSlice, BulkTarget, State } from '@flotilla/state';

type Job = Pick<BulkSlice, 'bulkId' | 'spec' | 'createdAt'>;
type Runs = Pick<
  State<Plan>,
  'cancelRun' | 'retryRun' | 'redriveDeadLetters' | 'listDeadSteps' | 'pauseRun' | 'resumeRun' | 'readRun'
>;
type Act = (runs: Runs, target: BulkTarget, job: Job) => Promise<boolean>;

/** Each may be repeated without harm, and answers whether it changed the run. */
const ACTS: Readonly<Record<BulkAction, Act>> = {
  cancel: async (runs, { runId }, { bulkId, spec, createdAt }) => {
    const reason = spec.reason === undefined ? `bulk job ${bulkId}` : `${spec.reason} (bulk job ${bulkId})`;
    const { outcome, requestSeq, requestedAt } = await runs.cancelRun(runId, reason);
    return outcome === 'cancelled' && requestSeq !== undefined && requestedAt >= createdAt;
  },
  // With the opening, of any number of tries one opens the run.
  retry: async (runs, { runId, opening }) => !(await runs.retryRun(runId, { opening })).alreadyRetried,
  redrive: async (runs, { runId, opening }) => {
    const run = await runs.readRun(runId);
    if (run !== undefined && (run.opening ?? 1) > opening) return false;
    const steps = await runs.listDeadSteps(runId);
    if (steps.length === 0) return false;
    return !(await runs.redriveDeadLetters(runId, steps, opening)).alreadyRedriven;
  },
  pause: (runs, { runId }) => unless(runs, runId, ['paused'], () => runs.pauseRun(runId)),
  resume: (runs, { runId }) => unless(runs, runId, ['pending', 'running'], () => runs.resumeRun(runId)),
};

async function unless(runs: Runs, runId: string, already: RunStatus[], act: () => Promise<unknown>): Promise<boolean> {
  const run = await runs.readRun(runId);
  if (run !== undefined && already.includes(run.status)) return false;
  await act();
  return true;
}

/** Conditions of the store or the scheduler, not of the run: the slice is tried again. */
const AWAY: ReadonlySet<string> = new Set(['REDIS_UNAVAILABLE', 'DEADLINE_EXCEEDED', 'STORAGE_FULL']);

/** Does to one run what the job is for. What is wrong with the run is told of it; that Redis is away is thrown. */
export async function applyAction(
  runs: Runs,
  target: BulkTarget,
  job: Job,
  onError: (error: unknown, runId: string) => void,
): Promise<BulkItemRecord> {
  try {
    return { outcome: (await ACTS[job.spec.action](runs, target, job)) ? 'done' : 'unchanged' };
  } catch (error) {
    if (isFlotillaError(error) && !AWAY.has(error.code)) {
      return { outcome: 'failed', error: { code: error.code, message: error.message } };
    }
    if (isFlotillaError(error) || classifyRedisError(error) !== undefined) throw error;
    onError(error, target.runId);
    const message = 'something went wrong inside Flotilla; the log of the scheduler says what';
    return { outcome: 'failed', error: { code: 'INTERNAL', message } };
  }
}
