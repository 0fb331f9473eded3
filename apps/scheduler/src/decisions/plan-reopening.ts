import {
  type CleanupView,
  MOST_LISTED_IN_RETRY_PLAN as MOST,
  type RetryPlan,
  type RunAgainReason,
  type RunStatus,
  type StepToRunAgain,
} from '@flotilla/contracts';
import type { Plan, PlanStep } from '@flotilla/engine';
import { type RetryRequest, STEP, type State, stepIdOf } from '@flotilla/state';
import { type EndedRun, type RunToRetry, readEndedRun } from './ended-run.ts';

export interface PlannedRetry {
  status: RunStatus;
  /** That the retry makes; where the run had been opened again before, the one that it is in. */
  opening: number;
  alreadyRetried: boolean;
  /** Absent where the run had been opened again before. */
  plan?: RetryPlan;
}

/** What a retry would do now, and nothing is done. The errors of a retry. */
export async function planReopening(state: State<Plan>, runId: string, request: RetryRequest): Promise<PlannedRetry> {
  const { plan, createdAt, cleanups, selection, ...found } = await state.previewRetry(runId, request);
  if (found.alreadyRetried) return found;
  const run: RunToRetry = { runId, createdAt, cleanups, selection };
  const ended = await readEndedRun(state, plan, run);
  const undoneSteps = new Set(Array.from(ended.undone, (key) => Number.parseInt(key, 10)));
  const steps = await stepsOf(state, plan, { run, ended, opening: found.opening, undoneSteps });
  const made = cleanups === 0 ? [] : await cleanupsOf(state, runId);
  const undone = made.filter(({ status }) => status === 'succeeded');
  const failed = made.filter(({ status }) => status === 'failed');
  const counts = {
    again: steps.length,
    newKeys: ended.surelyUndone.size,
    first: ended.retry.reset.length - steps.length,
    undone: undone.length,
    failedCleanups: failed.length,
  };
  return {
    ...found,
    plan: {
      counts,
      steps: steps.slice(0, MOST),
      leftFailed: ended.retry.keptFailures.slice(0, MOST).map((index) => stepIdOf(plan, String(index))),
      undone: undone.slice(0, MOST).map(nameOf),
      failedCleanups: failed.slice(0, MOST).map((one) => ({ ...nameOf(one), ...(one.error && { error: one.error }) })),
    },
  };
}

interface Retried {
  run: RunToRetry;
  ended: EndedRun;
  opening: number;
  undoneSteps: ReadonlySet<number>;
}

/** Steps that had begun and run again. */
async function stepsOf(state: State<Plan>, plan: Plan, retried: Retried): Promise<StepToRunAgain[]> {
  const { run, ended, opening } = retried;
  const again = ended.retry.reset
    .map((index) => plan.steps[index]!)
    .filter(({ index }) => (ended.headers[index]?.state ?? STEP.skipped) !== STEP.skipped);
  const earlier = await state.run(run.runId).readRedoneIn(again.map(({ index }) => index));
  const steps: StepToRunAgain[] = [];
  for (const [position, step] of again.entries()) {
    const base = { stepId: step.id, why: reasonOf(step, retried) };
    if (ended.headers[step.index]?.map !== undefined) {
      const items = await itemsOf(state, step, retried);
      steps.push({ ...base, newKey: items.newKeys > 0, items });
      continue;
    }
    const newKey = ended.surelyUndone.has(String(step.index));
    const redoneIn = newKey ? opening : earlier[position];
    const key = `${run.runId}/${step.id}${redoneIn === undefined ? '' : `/opening/${redoneIn}`}`;
    steps.push({ ...base, newKey, ...(step.work === undefined ? {} : { idempotencyKey: key }) });
  }
  return steps;
}

function reasonOf({ index }: PlanStep, { run, ended, undoneSteps }: Retried): RunAgainReason {
  const { state } = ended.headers[index]!;
  if (index === run.selection.from) return 'asked-for';
  if (state === STEP.failed || state === STEP.quarantined) return 'failed';
  if (undoneSteps.has(index)) return 'undone';
  return state === STEP.succeeded || state === STEP.mapSucceeded ? 'needs-one' : 'unsettled';
}

async function itemsOf(
  state: State<Plan>,
  step: PlanStep,
  { run, ended }: Retried,
): Promise<{ again: number; newKeys: number }> {
  const { items } = ended.headers[step.index]!.map!;
  const newKeys = [...ended.surelyUndone].filter((key) => key.startsWith(`${step.index}.`)).length;
  // Its list may be another then.
  if (!ended.retry.sameInput.has(step.index) || step.index === run.selection.from) return { again: items, newKeys };
  const kept = await state.run(run.runId).readSucceededItems(step.index, items);
  const again = kept.filter((isKept, item) => !isKept || ended.undone.has(`${step.index}.${item}`)).length;
  return { again, newKeys };
}

const PAGE = 500;

async function cleanupsOf(state: State<Plan>, runId: string): Promise<CleanupView[]> {
  const found: CleanupView[] = [];
  let cursor: string | undefined;
  do {
    const page = await state.listCleanups(runId, { limit: PAGE, cursor });
    found.push(...page.cleanups);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

function nameOf({ number, stepId, kind, use }: CleanupView) {
  return { number, stepId, kind, use };
}
