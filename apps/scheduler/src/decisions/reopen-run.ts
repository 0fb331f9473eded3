import type { Json, StepError } from '@flotilla/contracts';
import { canonicalJson, hasFired, type Plan, type PlanStep } from '@flotilla/engine';
import { PREFIX, parseRunMeta, type State, stateKey } from '@flotilla/state';
import { type RunToRetry, readEndedRun, readFields, readHeaders } from './ended-run.ts';
import { resetMap } from './reset-map.ts';
import { ResetSlices } from './reset-slices.ts';
import { type StepToDispatch, startStep, toDispatch } from './start-step.ts';

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
  const now = await readOpening(state, state.tagOf(runId), runId);
  // Whoever else works on it may have come further, or the run was cancelled meanwhile.
  if (now === undefined || now.opening !== opening || !'nrp'.includes(now.letter)) return [];
  return startWhatCan(state, plan, runId, now);
}

/** The first half: what is made anew is taken away, and the run may go on. Nothing happens when that was done before. */
export async function resetRun(state: State<Plan>, plan: Plan, runId: string, opening: number): Promise<void> {
  const run = await readOpening(state, state.tagOf(runId), runId);
  if (run?.opening === opening && run.letter === 'a') await reset(state, plan, runId, run);
}

interface Opening {
  letter: string;
  createdAt: number;
  opening: number;
  /** Of earlier openings, whose steps have been undone. */
  cleanups: number;
  selectionJson: string;
}

async function readOpening(state: State<Plan>, tag: string, runId: string): Promise<Opening | undefined> {
  const [packed, stored] = await state.client.hmget(stateKey(tag, 'run', runId), 'm', 'a');
  if (packed == null || stored == null) return undefined;
  const [, opening, cleanups, selectionJson] = /^(\d+)\|(\d+)\|(.*)$/s.exec(stored)!;
  const { letter, createdAt } = parseRunMeta(packed);
  return { letter, createdAt, opening: Number(opening), cleanups: Number(cleanups), selectionJson: selectionJson! };
}

async function reset(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { createdAt, opening, cleanups, selectionJson }: Opening,
): Promise<void> {
  const tag = state.tagOf(runId);
  const selection = JSON.parse(selectionJson) as RunToRetry['selection'];
  const ended = await readEndedRun(state, plan, { runId, createdAt, cleanups, selection });
  const { headers, retry, undone, surelyUndone } = ended;
  const slices = new ResetSlices(state.transitions, tag, runId, opening);
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
      const kept = await resetMap({ state, tag, runId, step, header, createdAt, keepsItems, undone }, slices);
      itemsMade += kept;
    } else {
      // What an attempt has saved of its progress fits as long as its input is the same.
      const keepsProgress = keepsItems && !undone.has(String(step.index));
      await slices.resetStep(String(step.index), { keepsProgress, hasHeader: header !== undefined });
    }
  }
  // Before the cleanups are forgotten: whoever repeats this reads from them which steps these are.
  for (const key of surelyUndone) await slices.set(PREFIX.redoneIn + key, opening);
  for (const [group, counter] of retry.counters) {
    if (counter === undefined) await slices.remove(`g${group}`);
    else await slices.set(`g${group}`, counter);
  }
  await forgetCleanups(state, runId, cleanups, slices);
  if (plan.definition.budget?.maxSteps !== undefined) await slices.set('n', itemsMade);
  await slices.flush();
  await state.transitions.reopenRun(tag, runId, opening, {
    endPending: retry.endPending,
    failureJson: await failureOf(state, plan, tag, runId, retry.keptFailures),
    timeoutMs: plan.timeoutMs,
  });
}

/** Comes after all else: the steps of which these are the cleanups have been reset then. */
async function forgetCleanups(state: State<Plan>, runId: string, cleanups: number, slices: ResetSlices): Promise<void> {
  const fields = Array.from({ length: cleanups }, (_, number) => `u${number}`);
  const entries = await readFields(state, runId, fields);
  for (const [number, entry] of entries.entries()) {
    const key = /^\d+(?:\.\d+)?/.exec(entry ?? '')?.[0];
    await slices.remove(
      `u${number}`,
      ...(key === undefined ? [] : [`s${key}!${number}`, `o${key}!${number}`, `h${key}`]),
    );
  }
}

/** The error that the run ends with however the retry goes, because a step stays failed. */
async function failureOf(
  state: State<Plan>,
  plan: Plan,
  tag: string,
  runId: string,
  [first]: readonly number[],
): Promise<string | undefined> {
  if (first === undefined) return undefined;
  const stored = await state.client.hget(stateKey(tag, 'run', runId), `o${first}`);
  const { stack: _, ...error } = JSON.parse(stored ?? '{}') as Partial<StepError>;
  return canonicalJson({ ...error, stepId: plan.steps[first]!.id } as unknown as Json);
}

/** Steps whose needs have settled and that have not begun, and items of maps that go on. */
async function startWhatCan(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { createdAt, opening }: Opening,
): Promise<StepToDispatch[]> {
  const headers = await readHeaders(state, plan, { runId, createdAt });
  const counters = await readFields(
    state,
    runId,
    plan.groups.map(({ index }) => `g${index}`),
  );
  const counterOf = (group: number) => (counters[group] == null ? undefined : Number(counters[group]));
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
    if (headers[step.index]?.state === 'M' && map?.isRetried)
      steps.push(...(await startItems(state, plan, runId, step, map.next)));
  }
  return steps;
}

async function startItems(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  step: PlanStep,
  next: number,
): Promise<StepToDispatch[]> {
  const keys = Array.from({ length: next }, (_, item) => `${step.index}.${item}`);
  const headers = await readFields(
    state,
    runId,
    keys.map((key) => `s${key}`),
  );
  return keys.flatMap((key, item) => {
    const started = headers[item] === null ? toDispatch(plan, { runId, definitionHash: plan.hash, key }) : undefined;
    return started === undefined ? [] : [started];
  });
}
