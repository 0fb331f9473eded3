import { setTimeout as pause } from 'node:timers/promises';
import {
  type BulkDeadLettersDone,
  type BulkOutcome,
  type DeadLetterFilter,
  type DeadLetterView,
  isFlotillaError,
} from '@flotilla/contracts';
import { planOfCompensated } from '../plan-of-compensated.ts';
import type { RunApi } from '../run-api.ts';
import type { Pace } from './pace.ts';

export interface BulkRequest extends DeadLetterFilter {
  limit: number;
  dryRun: boolean;
}

export interface BulkDependencies {
  api: Pick<RunApi, 'listDeadLetters' | 'planRetry' | 'redriveDeadLetters' | 'discardDeadLetters'>;
  pace: Pace;
  /** Aborted when nobody waits for the answer any more: what has not been begun is left. */
  signal: AbortSignal;
  /** Something went wrong that has no code of its own. */
  onError: (error: unknown, runId: string) => void;
}

type Item = BulkDeadLettersDone['items'][number];
type Done = Pick<Item, 'outcome' | 'status' | 'opening' | 'again' | 'error'>;

/** The store or the scheduler is not there: the next ones would fail as well, one deadline after the other. */
const AWAY: ReadonlySet<string> = new Set(['REDIS_UNAVAILABLE', 'DEADLINE_EXCEEDED', 'STORAGE_FULL']);

const UNKNOWN = {
  code: 'INTERNAL',
  message: 'something went wrong inside Flotilla; the log of the scheduler says what',
};

/**
 * Redrives or discards the oldest dead letters that fit. Which ones is settled before the first is touched, so one that dies
 * again meanwhile is not taken up twice. The letters of one run are one reopening.
 */
export async function inBulk(
  what: 'redrive' | 'discard',
  dependencies: BulkDependencies,
  request: BulkRequest,
): Promise<BulkDeadLettersDone> {
  const { api, signal } = dependencies;
  const { letters, more } = await collect(api, request, signal);
  const items: Item[] = [];
  let isAway = false;
  for (const [first, ...others] of byRun(letters)) {
    const ofRun = [first!, ...others];
    let done: Done[];
    if (request.dryRun) done = await match(what, dependencies, ofRun);
    else if (isAway || signal.aborted) done = ofRun.map(() => ({ outcome: 'not-tried' }));
    else if (what === 'redrive') done = await redrive(dependencies, ofRun);
    else done = await attempt(ofRun, dependencies.onError, () => discard(api, ofRun));
    isAway ||= done.some(({ error }) => error !== undefined && AWAY.has(error.code));
    ofRun.forEach(({ id, runId, stepId }, index) => {
      items.push({ id, runId, stepId, ...done[index]! });
    });
  }
  return { dryRun: request.dryRun, counts: countOutcomes(items), items, more };
}

async function collect(
  api: BulkDependencies['api'],
  { limit, dryRun: _, ...filter }: BulkRequest,
  signal: AbortSignal,
): Promise<{ letters: DeadLetterView[]; more: boolean }> {
  const letters: DeadLetterView[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.listDeadLetters({
      ...filter,
      limit: limit - letters.length,
      order: 'oldest',
      wholeRuns: true,
      cursor,
    });
    letters.push(...page.deadLetters);
    cursor = page.cursor;
  } while (cursor !== undefined && letters.length < limit && !signal.aborted);
  return { letters, more: cursor !== undefined };
}

/** Letters of a run stand beside each other. */
function byRun(letters: readonly DeadLetterView[]): DeadLetterView[][] {
  const runs: DeadLetterView[][] = [];
  for (const letter of letters) {
    const last = runs.at(-1);
    if (last?.[0]?.runId === letter.runId) last.push(letter);
    else runs.push([letter]);
  }
  return runs;
}

/** Of a dry run. What cannot be worked out of one run hides none of the others. */
async function match(
  what: 'redrive' | 'discard',
  { api, signal }: BulkDependencies,
  letters: readonly DeadLetterView[],
): Promise<Done[]> {
  const again = what === 'redrive' && !signal.aborted ? await countAgain(api, letters) : {};
  return letters.map(() => ({ outcome: 'matched', ...again }));
}

async function countAgain(
  api: BulkDependencies['api'],
  letters: readonly DeadLetterView[],
): Promise<Pick<Item, 'again'>> {
  const { runId, opening } = letters[0]!;
  const steps = letters.map(({ stepId }) => stepId);
  const { plan } = await planOfCompensated(api, runId, { steps, opening });
  return plan === undefined ? {} : { again: plan.counts };
}

async function redrive(
  { api, pace, signal, onError }: BulkDependencies,
  letters: readonly DeadLetterView[],
): Promise<Done[]> {
  await pause(pace.take(), undefined, { signal }).catch(() => undefined);
  if (signal.aborted) return letters.map(() => ({ outcome: 'not-tried' }));
  return attempt(letters, onError, async () => {
    const { runId, opening } = letters[0]!;
    const stepIds = letters.map(({ stepId }) => stepId);
    const again = await countAgain(api, letters);
    const { alreadyRedriven, redriven, ...run } = await api.redriveDeadLetters(runId, stepIds, opening);
    if (alreadyRedriven) return letters.map(() => ({ outcome: 'already-redriven', ...run }));
    // Of the same opening and not on the list any more: somebody has discarded it since it was chosen.
    return redriven.map((isMadeAnew) =>
      isMadeAnew ? { outcome: 'redriven', ...run, ...again } : { outcome: 'already-discarded' },
    );
  });
}

async function discard(api: BulkDependencies['api'], letters: readonly DeadLetterView[]): Promise<Done[]> {
  const { runId, opening } = letters[0]!;
  const stepIds = letters.map(({ stepId }) => stepId);
  const wereListed = await api.discardDeadLetters(runId, stepIds, opening);
  return wereListed.map((was) => ({ outcome: was ? 'discarded' : 'already-discarded' }));
}

/** What is wrong with one run is told of its letters and hinders no other. */
async function attempt(
  letters: readonly DeadLetterView[],
  onError: BulkDependencies['onError'],
  act: () => Promise<Done[]>,
): Promise<Done[]> {
  try {
    return await act();
  } catch (error) {
    // What was reached before is told in any case.
    if (!isFlotillaError(error)) onError(error, letters[0]!.runId);
    const { code, message } = isFlotillaError(error) ? error : UNKNOWN;
    return letters.map(() => ({ outcome: 'failed', error: { code, message } }));
  }
}

function countOutcomes(items: readonly Item[]): BulkDeadLettersDone['counts'] {
  const counts: Partial<Record<BulkOutcome, number>> = {};
  for (const { outcome } of items) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
