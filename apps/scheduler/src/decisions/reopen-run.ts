import type { Json, StepError } from '@flotilla/contracts';
import { canonicalJson, hasFired, type Plan, type PlanStep, toleratedFailures } from '@flotilla/engine';
import { type RunHandle, type RunOpening, STEP, type State, type StepHeader } from '@flotilla/state';
import { type RunToRetry, readEndedRun, readHeaders } from './ended-run.ts';
import { modeOfItems, type StepToDispatch, startStep, toDispatch } from './start-step.ts';

/** Steps that are started side by side. */
const AT_ONCE = 64;

/**
 * Carries out a retry: takes away what is to be made anew, slice by slice, lets the run go on, and starts what can start.
 * It may be repeated from the start at any point, by another scheduler too: each slice leaves the run in a state from which
 * the same plan follows.
 */
export async function reopenRun(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  opening: number,
): Promise<StepToDispatch[]> {
  await resetRun(state, plan, runId, opening);
  const now = await state.run(runId).readOpening();
  // Whoever else works on it may have come further, or the run was cancelled meanwhile.
  if (now === undefined || now.opening !== opening || !now.goesOn) return [];
  return startReadySteps(state, plan, runId, now);
}

/** The first half: what is made anew is taken away, and the run may go on. Nothing happens when that was done before. */
export async function resetRun(state: State<Plan>, plan: Plan, runId: string, opening: number): Promise<void> {
  const run = await state.run(runId).readOpening();
  if (run?.opening === opening && run.isReopening) await reset(state, plan, runId, run);
}

async function reset(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { createdAt, opening, cleanups, selectionJson }: RunOpening,
): Promise<void> {
  const run = state.run(runId);
  const selection = JSON.parse(selectionJson) as RunToRetry['selection'];
  const ended = await readEndedRun(state, plan, { runId, createdAt, cleanups, selection });
  const { headers, retry, undone, surelyUndone } = ended;
  const slices = run.reset(opening);
  let itemsMade = 0;
  const isReset = new Set(retry.reset);
  for (const step of plan.steps) {
    const header = headers[step.index];
    if (!isReset.has(step.index)) {
      itemsMade += header?.map?.items ?? 0;
      continue;
    }
    const keepsItems = retry.sameInput.has(step.index) && step.index !== selection.from;
    if (header?.map !== undefined) {
      itemsMade += await slices.resetMap(await mapToReset(run, step, { header, createdAt, keepsItems, undone }));
    } else {
      // What an attempt has saved of its progress fits as long as its input is the same.
      const keepsProgress = keepsItems && !undone.has(String(step.index));
      await slices.resetStep(String(step.index), { keepsProgress, hasHeader: header !== undefined });
    }
  }
  // Before the cleanups are forgotten: whoever repeats this reads from them which steps these are.
  for (const key of surelyUndone) await slices.markRedone(key);
  for (const [group, counter] of retry.counters) await slices.resetCounter(group, counter);
  await slices.forgetCleanups(await run.readCleanupSteps(cleanups));
  if (plan.definition.budget?.maxSteps !== undefined) await slices.setMadeSteps(itemsMade);
  await slices.flush();
  await state.transitions.reopenRun(run.tag, runId, opening, {
    endPending: retry.endPending,
    failureJson: await failureOf(run, plan, retry.keptFailures),
    timeoutMs: plan.timeoutMs,
  });
}

async function mapToReset(
  run: RunHandle,
  step: PlanStep,
  found: { header: StepHeader; createdAt: number; keepsItems: boolean; undone: ReadonlySet<string> },
) {
  const map = step.map!;
  const items = found.header.map?.items ?? 0;
  const succeeded = await run.readSucceededItems(step.index, items);
  const settings = {
    concurrency: map.concurrency,
    toleratedFailures: toleratedFailures(map, items),
    mode: modeOfItems(map, items),
  };
  return { ...found, index: step.index, succeeded, settings };
}

/** The error that the run ends with however the retry goes, because a step stays failed. */
async function failureOf(run: RunHandle, plan: Plan, [first]: readonly number[]): Promise<string | undefined> {
  if (first === undefined) return undefined;
  const { stack: _, ...error } = JSON.parse((await run.readOutput(first)) ?? '{}') as Partial<StepError>;
  return canonicalJson({ ...error, stepId: plan.steps[first]!.id } as unknown as Json);
}

/** Steps whose needs have settled and that have not begun, and items of maps that go on. */
async function startReadySteps(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { createdAt, opening }: RunOpening,
): Promise<StepToDispatch[]> {
  const run = state.run(runId);
  const headers = await readHeaders(run, plan, createdAt);
  const counters = await run.readCounters(plan.groups.map(({ index }) => index));
  const counterOf = (group: number) => counters[group];
  const ready = plan.steps.filter(
    ({ index, group }) => headers[index] === undefined && hasFired(plan.groups[group]!, counterOf(group)),
  );
  const steps: StepToDispatch[] = [];
  for (let first = 0; first < ready.length; first += AT_ONCE) {
    const started = await Promise.all(
      ready.slice(first, first + AT_ONCE).map((step) => {
        const { needs } = plan.groups[step.group]!;
        const counter = needs === 0 ? undefined : counterOf(step.group);
        return startStep(state, plan, runId, step, { counter, opening });
      }),
    );
    for (const step of started) if (step !== undefined) steps.push(step);
  }
  for (const step of plan.steps) {
    const map = headers[step.index]?.map;
    if (headers[step.index]?.state === STEP.mapRunning && map?.isRetried)
      steps.push(...(await startItems(run, plan, step, map.next)));
  }
  return steps;
}

async function startItems(run: RunHandle, plan: Plan, step: PlanStep, next: number): Promise<StepToDispatch[]> {
  const keys = Array.from({ length: next }, (_, item) => `${step.index}.${item}`);
  // Whether they have one is all that is asked: their times do not matter.
  const headers = await run.readHeaders(keys, 0);
  return keys.flatMap((key, item) => {
    const ready = { runId: run.runId, definitionHash: plan.hash, key };
    const started = headers[item] === undefined ? toDispatch(plan, ready) : undefined;
    return started === undefined ? [] : [started];
  });
}
