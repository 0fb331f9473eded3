import { FlotillaError, type RunStatus } from '@flotilla/contracts';
import { hasFailedForGood } from './dead-letter-view.ts';
import { FIELD, RUN } from './format.ts';
import { stateKey } from './keys.ts';
import { type PlanShape, stepIdOf } from './plan-shape.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { headerField } from './run-fields.ts';
import { hasEnded, parseRunMeta, runStatusOf } from './run-record.ts';
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
  const indexOf = (stepId: string) => {
    const index = plan.stepIndex.get(stepId.replace(/\[\d+\]$/, ''));
    if (index === undefined) throw new FlotillaError('STEP_NOT_FOUND', `run ${runId} has no step ${stepId}`);
    return index;
  };
  const selection: { only?: number[]; from?: number } = {};
  if (from !== undefined) selection.from = indexOf(from);
  if (steps !== undefined) selection.only = [...new Set(steps.map(indexOf))];
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
  if (answer.status === RUN.succeeded) throw new FlotillaError('NOTHING_TO_RETRY', `run ${runId} has succeeded`);
  throw new FlotillaError(
    'RUN_STILL_ACTIVE',
    `run ${runId} is ${runStatusOf(answer.status)}; it can be retried when it has ended`,
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
