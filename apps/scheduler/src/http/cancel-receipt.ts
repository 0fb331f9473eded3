import {
  type CancelReceipt,
  type CleanupView,
  type EventType,
  isTerminalRunStatus,
  MOST_LISTED_IN_RECEIPT,
  RECEIPT_LISTS,
  type RunStatus,
  type RunView,
  type StepView,
} from '@flotilla/contracts';
import type { CancelledRun, RunApi } from './run-api.ts';

type Receipt = CancelReceipt['receipt'];
type Reads = Pick<RunApi, 'readHistory' | 'listSteps' | 'listCleanups'>;

const HISTORY_PAGE = 1000;
const PAGE = 500;

const BY_THEMSELVES: ReadonlySet<EventType> = new Set<EventType>([
  'attempt-succeeded',
  'attempt-failed',
  'attempt-timed-out',
]);
const CLEANUP_ENDS: ReadonlySet<string> = new Set(['succeeded', 'failed']);

/**
 * What a cancellation has done so far, from what is stored and nothing else: whoever asks for it, and how often, is told the
 * same once the run has ended.
 */
export async function makeReceipt(api: Reads, run: RunView, cancelled: CancelledRun): Promise<Receipt> {
  const { runId } = run;
  const { requestedAt, requestSeq, outcome } = cancelled;
  const hasEnded = isTerminalRunStatus(run.status);
  const ends = await readEnds(api, runId, requestSeq);
  const cleanups = await readCleanups(api, run);
  const { pending, released } = await readSteps(api, runId, {
    hasEnded,
    isCancelled: requestSeq !== undefined,
    ended: new Set([...ends.stopped, ...ends.finished, ...ends.lost]),
  });
  return shortened({
    runId,
    requestedAt,
    ...(run.endedAt !== undefined && { endedAt: run.endedAt }),
    outcome: outcomeOf(run, outcome),
    alreadyEnded: requestSeq === undefined,
    stoppedSteps: ends.stopped,
    ...(ends.abandoned.length > 0 && { abandonedSteps: ends.abandoned }),
    finishedSteps: ends.finished,
    lostSteps: ends.lost,
    released,
    ...cleanups,
    pending,
  });
}

/** Whoever reads a list must be able to tell that it is not whole. */
function shortened(receipt: Receipt): Receipt {
  const omitted: Receipt['omitted'] = {};
  for (const name of RECEIPT_LISTS) {
    const list: unknown[] = receipt[name] ?? [];
    const surplus = list.length - MOST_LISTED_IN_RECEIPT;
    if (surplus <= 0) continue;
    omitted[name] = surplus;
    list.length = MOST_LISTED_IN_RECEIPT;
  }
  return Object.keys(omitted).length === 0 ? receipt : { ...receipt, omitted };
}

function outcomeOf(run: RunView, decided: RunStatus): RunStatus {
  return isTerminalRunStatus(run.status) ? run.status : decided;
}

/** How attempts have ended since the cancellation, by step, in the order of the history. */
async function readEnds(api: Reads, runId: string, requestSeq: number | undefined) {
  const stopped = new Set<string>();
  const abandoned = new Set<string>();
  const finished = new Set<string>();
  const lost = new Set<string>();
  let after = requestSeq;
  while (after !== undefined) {
    const { events, next } = await api.readHistory(runId, { after, limit: HISTORY_PAGE });
    for (const { type, stepId, data } of events) {
      if (stepId === undefined) continue;
      if (type === 'attempt-cancelled' && data?.['reason'] === 'abandoned') abandoned.add(stepId);
      if (type === 'attempt-cancelled') stopped.add(stepId);
      else if (type === 'attempt-lost') lost.add(stepId);
      else if (BY_THEMSELVES.has(type)) finished.add(stepId);
    }
    after = events.length < HISTORY_PAGE ? undefined : next;
  }
  return { stopped: [...stopped], abandoned: [...abandoned], finished: [...finished], lost: [...lost] };
}

async function readSteps(
  api: Reads,
  runId: string,
  { hasEnded, isCancelled, ended }: { hasEnded: boolean; isCancelled: boolean; ended: ReadonlySet<string> },
): Promise<Pick<Receipt, 'pending' | 'released'>> {
  const pending: string[] = [];
  const released: string[] = [];
  // Of a run that has ended otherwise nothing was released by a cancellation.
  if (hasEnded && !isCancelled) return { pending, released };
  let cursor: string | undefined;
  do {
    const page = await api.listSteps(runId, { limit: PAGE, ...(cursor !== undefined && { cursor }) });
    for (const step of page.steps) {
      if (step.status === 'running') pending.push(step.stepId);
      else if (isCancelled && wasWaitedFor(step) && !ended.has(step.stepId)) released.push(step.stepId);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { pending, released };
}

/** It had begun, or had been put somewhere: it was backing off, parked, delaying, or a map between items. */
function wasWaitedFor({ status, startedAt, reason }: StepView): boolean {
  return status === 'cancelled' && (startedAt !== undefined || (reason !== undefined && reason !== 'run-ended'));
}

type Cleanups = Pick<Receipt, 'compensated' | 'cleanedUp' | 'failedCleanups' | 'pendingCleanups'>;

/** In the order in which they are made: the last registered first. */
async function readCleanups(api: Reads, run: RunView): Promise<Cleanups> {
  const told: Cleanups = { compensated: [], cleanedUp: [], failedCleanups: [], pendingCleanups: [] };
  if (run.cleanups === undefined) return told;
  const all: CleanupView[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.listCleanups(run.runId, { limit: PAGE, ...(cursor !== undefined && { cursor }) });
    all.push(...page.cleanups);
    cursor = page.cursor;
  } while (cursor !== undefined);
  for (const { number, stepId, kind, use, status, error } of all.reverse()) {
    const cleanup = { number, stepId, kind, use };
    if (!CLEANUP_ENDS.has(status)) told.pendingCleanups.push({ ...cleanup, status });
    else if (status === 'failed') told.failedCleanups.push({ ...cleanup, ...(error !== undefined && { error }) });
    else if (kind === 'compensation') told.compensated.push(stepId);
    else told.cleanedUp.push({ stepId, use });
  }
  return told;
}
