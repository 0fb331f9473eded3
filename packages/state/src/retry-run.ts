import { FlotillaError, type RunStatus } from '@flotilla/contracts';
import { hasFailedForGood } from './dead-letter-view.ts';
import { FIELD, RUN } from './format.ts';
import { stateKey } from './keys.ts';
import { type PlanShape, stepIdOf } from './plan-shape.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { headerField } from './run-fields.ts';
import { hasEnded, parseCleanupCounts, parseRunMeta, runStatusOf } from './run-record.ts';
import type { Transitions } from './transitions.ts';

export interface RetryRequest {
  /** Of the steps that failed only these are made again, by id; items of maps stand for their map. Default: all. */
  steps?: readonly string[] | undefined;
  /** A step that is made anew with all that depends on it, even if it succeeded. */
  from?: string | undefined;
  /** The opening whose end the caller has seen, 1 of a run that was never retried: asked twice, it is one retry. */
  opening?: number | undefined;
  /** `steps` must be dead letters in the moment in which the run is opened: DEAD_LETTER_NOT_FOUND. */
  mustBeDead?: boolean;
}

export interface RetriedRun {
  status: RunStatus;
  opening: number;
  /** True when the run had been opened again before, by whomever. */
  alreadyRetried: boolean;
}

/** What a retry would take up. */
export interface RetryPreview extends RetriedRun {
  createdAt: number;
  selection: RetrySelection;
  /** Of the openings so far: their steps have been undone. */
  cleanups: number;
}

/** Indexes of steps. */
interface RetrySelection {
  only?: number[];
  from?: number;
}

/** Steps that the event names. */
const MOST_NAMED = 100;

/**
 * Opens an ended run again. RUN_NOT_FOUND, RUN_STILL_ACTIVE, STEP_NOT_FOUND, NOTHING_TO_RETRY (it succeeded, or the steps
 * have not failed).
 */
export async function retryRun(
  dependencies: ReadDependencies & { plan: PlanShape; transitions: Transitions },
  runId: string,
  { steps, from, opening, mustBeDead = false }: RetryRequest,
): Promise<RetriedRun> {
  const { plan, transitions } = dependencies;
  const tag = tagOfRun(dependencies, runId);
  const selection = selectionOf(plan, runId, { steps, from });
  const data = {
    ...(from === undefined ? {} : { from }),
    ...(selection.only === undefined
      ? {}
      : { steps: selection.only.slice(0, MOST_NAMED).map((index) => stepIdOf(plan, String(index))) }),
  };
  if (selection.only !== undefined) await requireFailed(dependencies, tag, runId, selection.only);
  const answer = await transitions.retryRun(tag, runId, {
    seen: opening,
    selectionJson: JSON.stringify(selection),
    dataJson: JSON.stringify(data),
    mustBeDead,
  });
  if (answer.reply !== 'refused') {
    return {
      status: runStatusOf(answer.status),
      opening: answer.opening,
      alreadyRetried: answer.reply === 'already',
    };
  }
  if (answer.status === 'discarded') {
    throw new FlotillaError('DEAD_LETTER_NOT_FOUND', `a step of run ${runId} was discarded in this moment`);
  }
  throw refusal(runId, answer.status);
}

/** What `retryRun` would do now: the same errors, and nothing is done. */
export async function previewRetry(
  dependencies: ReadDependencies & { plan: PlanShape },
  runId: string,
  { steps, from, opening }: RetryRequest,
): Promise<RetryPreview> {
  const tag = tagOfRun(dependencies, runId);
  const selection = selectionOf(dependencies.plan, runId, { steps, from });
  if (selection.only !== undefined) await requireFailed(dependencies, tag, runId, selection.only);
  const fields = [FIELD.meta, FIELD.opening, FIELD.cleanups, FIELD.cleanupAgain];
  const [packed, reopened, counts, undoing] = await dependencies.client.hmget(stateKey(tag, 'run', runId), ...fields);
  if (packed == null) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  const { letter, createdAt } = parseRunMeta(packed);
  const [, known = '1', undone = '0'] = /^(\d+)\|(\d+)/.exec(reopened ?? '') ?? [];
  const { registered } = parseCleanupCounts(counts ?? '');
  const found = { status: runStatusOf(letter), createdAt, selection, cleanups: Math.max(registered, Number(undone)) };
  const hasBeen = letter === RUN.reopening || (opening !== undefined && opening < Number(known));
  if (hasBeen) return { ...found, opening: Number(known), alreadyRetried: true };
  if (undoing != null) throw refusal(runId, RUN.ending);
  if (!ENDED_BADLY.has(letter)) throw refusal(runId, letter);
  return { ...found, opening: Number(known) + 1, alreadyRetried: false };
}

const ENDED_BADLY: ReadonlySet<string> = new Set([RUN.failed, RUN.cancelled, RUN.timedOut]);

function selectionOf(plan: PlanShape, runId: string, { steps, from }: Pick<RetryRequest, 'steps' | 'from'>) {
  const indexOf = (stepId: string) => {
    const index = plan.stepIndex.get(stepId.replace(/\[\d+\]$/, ''));
    if (index === undefined) throw new FlotillaError('STEP_NOT_FOUND', `run ${runId} has no step ${stepId}`);
    return index;
  };
  const selection: RetrySelection = {};
  if (from !== undefined) selection.from = indexOf(from);
  if (steps !== undefined) selection.only = [...new Set(steps.map(indexOf))];
  return selection;
}

function refusal(runId: string, letter: string): FlotillaError {
  if (letter === RUN.succeeded) return new FlotillaError('NOTHING_TO_RETRY', `run ${runId} has succeeded`);
  return new FlotillaError(
    'RUN_STILL_ACTIVE',
    `run ${runId} is ${runStatusOf(letter)}; it can be retried when it has ended`,
  );
}

async function requireFailed(
  { client, plan }: ReadDependencies & { plan: PlanShape },
  tag: string,
  runId: string,
  steps: readonly number[],
): Promise<void> {
  const key = stateKey(tag, 'run', runId);
  const [packed, ...headers] = await client.hmget(key, FIELD.meta, ...steps.map((index) => headerField(index)));
  // A run that goes on is refused as a whole, or has been retried already.
  const status = parseRunMeta(packed ?? '').letter;
  if (!hasEnded(status) || status === RUN.succeeded) return;
  for (const [position, index] of steps.entries()) {
    if (hasFailedForGood(headers[position])) continue;
    const stepId = stepIdOf(plan, String(index));
    throw new FlotillaError('NOTHING_TO_RETRY', `step ${stepId} of run ${runId} has not failed`);
  }
}
