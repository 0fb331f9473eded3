import { type EndedStep, type Plan, planRetry, type RetryPlan } from '@flotilla/engine';
import { type RunHandle, SourceReading, STEP, type State, type StepHeader } from '@flotilla/state';

/** A run that has ended, and what a retry is to take up of it. */
export interface RunToRetry {
  runId: string;
  createdAt: number;
  /** Of the openings so far, whose steps have been undone. */
  cleanups: number;
  selection: { only?: number[]; from?: number };
}

export interface EndedRun {
  headers: readonly (StepHeader | undefined)[];
  retry: RetryPlan;
  /** Keys of the steps and items that cleanups were registered of. */
  undone: ReadonlySet<string>;
  /** Those of which a cleanup has succeeded: only they are known to be undone. */
  surelyUndone: ReadonlySet<string>;
}

/** Works out what a retry makes again. It gives the same however much of it has been carried out. */
export async function readEndedRun(state: State<Plan>, plan: Plan, toRetry: RunToRetry): Promise<EndedRun> {
  const { runId, createdAt, cleanups, selection } = toRetry;
  const run = state.run(runId);
  const headers = await readHeaders(run, plan, createdAt);
  const chosen = await readChoices(run, plan, createdAt, headers);
  const { undone, surelyUndone } = await readUndone(run, createdAt, cleanups);
  const { only, from } = selection;
  const retry = planRetry(plan, (step) => endOf(headers[step], chosen.get(step)), {
    ...(only === undefined ? {} : { only: new Set(only) }),
    ...(from === undefined ? {} : { from }),
    undone: new Set(Array.from(undone, (key) => Number.parseInt(key, 10))),
  });
  return { headers, retry, undone, surelyUndone };
}

/** A lost registration is of nobody. */
async function readUndone(
  run: RunHandle,
  createdAt: number,
  cleanups: number,
): Promise<Pick<EndedRun, 'undone' | 'surelyUndone'>> {
  const steps = await run.readCleanupSteps(cleanups);
  const found = steps.flatMap((key, number) => (key === undefined ? [] : [{ key, cleanup: `${key}!${number}` }]));
  const headers = await run.readHeaders(
    found.map(({ cleanup }) => cleanup),
    createdAt,
  );
  return {
    undone: new Set(found.map(({ key }) => key)),
    surelyUndone: new Set(found.flatMap(({ key }, index) => (headers[index]?.state === STEP.succeeded ? [key] : []))),
  };
}

export function readHeaders(run: RunHandle, plan: Plan, createdAt: number): Promise<(StepHeader | undefined)[]> {
  return run.readHeaders(
    plan.steps.map(({ index }) => index),
    createdAt,
  );
}

/** What the branches have chosen. DATA_CORRUPTION when that is damaged: then nobody knows what depends on it. */
async function readChoices(
  run: RunHandle,
  plan: Plan,
  createdAt: number,
  headers: readonly (StepHeader | undefined)[],
): Promise<Map<number, number | undefined>> {
  const branches = plan.steps.filter(
    ({ kind, index }) => kind === 'branch' && headers[index]?.state === STEP.succeeded,
  );
  const reading = new SourceReading();
  const sources = await run
    .sources(plan, createdAt, reading)
    .read(branches.map(({ index }) => index))
    .finally(() => reading.end());
  return new Map(
    branches.map(({ index }) => {
      const { chosen } = sources.get(index)!.output as { chosen: string | null };
      return [index, chosen === null ? undefined : plan.stepIndex.get(chosen)];
    }),
  );
}

function endOf(header: StepHeader | undefined, chosen: number | undefined): EndedStep {
  switch (header?.state) {
    case STEP.mapSucceeded:
      return 'succeeded';
    case STEP.succeeded:
      return chosen === undefined ? 'succeeded' : { chosen };
    case STEP.failed:
    case STEP.quarantined:
      return 'failed';
    case STEP.skipped:
      return header.reason === 'upstream-failed' ? 'skipped-upstream-failed' : 'skipped';
    default:
      return 'open';
  }
}
