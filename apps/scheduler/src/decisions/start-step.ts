import { FlotillaError, type Json, type StepError } from '@flotilla/contracts';
import {
  canonicalJson,
  chooseBranch,
  countedEdges,
  decideJoin,
  decodeJoinCounter,
  evaluateCondition,
  failureOfStep,
  neededSuccesses,
  outcomeOfSkip,
  type Plan,
  type PlanMap,
  type PlanStep,
  resolveDelay,
  resolveMapItems,
  type SettledOutcome,
  stepGroupOf,
  toleratedFailures,
} from '@flotilla/engine';
import {
  chainChecksums,
  DUE,
  type MapSettings,
  NO_HEADER,
  type Source,
  STATES,
  STEP,
  type State,
  type StepAddress,
  type StepGroup,
} from '@flotilla/state';
import { withScope } from './run-scope.ts';
import { startWait } from './waits/start-wait.ts';

export interface ReadyStep {
  runId: string;
  definitionHash: string;
  key: string;
}

/** What made a group's steps start: its counter when it fired (undefined: it needs nothing), and in which opening of the run. */
export interface FiredGroup {
  counter: number | undefined;
  opening: number;
}

interface StepOfOpening {
  step: PlanStep;
  /** Undefined: whatever opening the run is in. */
  opening: number | undefined;
}

/** A step that workers may claim now. */
export interface StepToDispatch extends ReadyStep {
  queue: string;
  use: string;
  /** `workflow/step`: what the Bull dashboard calls its task. */
  label: string;
  queuedMs: number | undefined;
  totalMs: number | undefined;
  breaker: string | undefined;
  /** None of cleanups. */
  group: StepGroup | undefined;
}

/**
 * What becomes of a step whose group has fired: it is skipped, settled or begins to wait, or, when the answer is a step,
 * goes to workers. Every path may be repeated after a crash: state refuses what has been done, and what was decided in another
 * opening of the run than the one that it is in.
 */
export async function startStep(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  step: PlanStep,
  { counter, opening }: FiredGroup,
): Promise<StepToDispatch | undefined> {
  const fired = { step, opening };
  const decision =
    counter === undefined ? { run: true as const } : decideJoin(plan.groups[step.group]!, decodeJoinCounter(counter));
  if (!decision.run) {
    await settleStep(
      state,
      plan,
      runId,
      fired,
      { state: 'skipped', reason: decision.reason, from: NOT_BEGUN },
      outcomeOfSkip(decision.reason),
    );
    return undefined;
  }
  try {
    const { when } = step;
    if (when !== undefined) {
      const { reads } = when;
      const holds = await withScope(state, plan, { runId, reads }, ({ scope }) => evaluateCondition(when, scope));
      if (!holds) {
        await settleStep(
          state,
          plan,
          runId,
          fired,
          { state: 'skipped', reason: 'when-false', from: NOT_BEGUN },
          'skipped',
        );
        return undefined;
      }
    }
    switch (step.kind) {
      case 'delay':
        await startDelay(state, plan, runId, { step, opening });
        return undefined;
      case 'branch':
        await takeBranch(state, plan, runId, step, opening);
        return undefined;
      case 'map':
      case 'broadcast':
      case 'loop':
      case 'handoff':
      case 'conversation':
        await startMap(state, plan, runId, step, opening);
        return undefined;
      case 'signal':
      case 'approval':
      case 'webhook':
      case 'workflow':
      case 'send':
      case 'receive':
        await startWait(state, plan, { runId, step, opening });
        return undefined;
      default:
        return toDispatch(plan, { runId, definitionHash: plan.hash, key: String(step.index) });
    }
  } catch (error) {
    if (!(error instanceof FlotillaError) || error.code === 'REDIS_UNAVAILABLE' || error.code === 'INTERNAL')
      throw error;
    if (error.code === 'RUN_NOT_FOUND') return undefined;
    if (error.code === 'DATA_CORRUPTION') {
      const data = canonicalJson({ code: error.code, message: error.message });
      await state.transitions.reportCorruption(addressOf(state, runId, step), data);
    }
    await failStep(state, plan, runId, fired, { type: 'non_retryable', code: error.code, message: error.message });
    return undefined;
  }
}

/** What workers need to know to take a step or map item that is ready. */
export function toDispatch(plan: Plan, ready: ReadyStep): StepToDispatch | undefined {
  const step = plan.steps[Number.parseInt(ready.key, 10)];
  if (step?.work === undefined) return undefined;
  const { queue, use, timeouts, breaker } = step.work;
  const { queuedMs, totalMs } = timeouts;
  const group = stepGroupOf(plan, step.index);
  const label = `${plan.definition.name}/${step.id}`;
  return { ...ready, queue, use, label, queuedMs, totalMs, breaker, group };
}

async function startDelay(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { step, opening }: { step: PlanStep; opening: number },
): Promise<void> {
  const { delay } = step;
  let forMs = step.forMs ?? 0;
  if (delay !== undefined) {
    const { reads } = delay.value;
    const nowMs = await state.now();
    forMs = await withScope(state, plan, { runId, reads }, ({ scope }) => resolveDelay(delay, scope, nowMs));
  }
  await state.transitions.startDelay({ ...addressOf(state, runId, step), opening }, forMs);
}

/** What was decided when it began: expressions are not evaluated again. */
async function delayOf(state: State<Plan>, runId: string, step: PlanStep): Promise<number> {
  if (step.delay === undefined) return step.forMs ?? 0;
  return (await state.readDelay(runId, String(step.index))) ?? 0;
}

/** A delay's time has come. */
export async function settleDelay(state: State<Plan>, plan: Plan, runId: string, step: PlanStep): Promise<void> {
  const output = { delayedMs: await delayOf(state, runId, step) };
  const due = { step, opening: undefined };
  const settlement = { state: 'succeeded', output, from: STEP.delaying, timers: DUE.delay } as const;
  await settleStep(state, plan, runId, due, settlement, 'succeeded');
}

async function takeBranch(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  step: PlanStep,
  opening: number,
): Promise<void> {
  const reads = [...new Set((step.cases ?? []).flatMap(({ when }) => when.reads))].sort((a, b) => a - b);
  const expressions = (step.cases ?? []).map(({ when }) => when);
  const { chosen, previous } = await withScope(state, plan, { runId, reads, expressions }, ({ scope, sources }) => ({
    chosen: chooseBranch(step, scope),
    previous: checksumOfReads(reads, sources),
  }));
  const output = { chosen: chosen === undefined ? null : plan.steps[chosen]!.id };
  await settleStep(state, plan, runId, { step, opening }, { state: 'succeeded', output, previous }, { chosen });
}

async function startMap(state: State<Plan>, plan: Plan, runId: string, step: PlanStep, opening: number): Promise<void> {
  const map = step.map!;
  const reads = map.over?.reads ?? [];
  const { items, previous } = await withScope(state, plan, { runId, reads }, ({ scope, sources }) => ({
    // As text at once: the items may share data, and are not needed as values.
    items: resolveMapItems(map, scope).map((item) => JSON.stringify(item)),
    previous: checksumOfReads(reads, sources),
  }));
  if (items.length === 0) {
    const output = map.mode === 'broadcast' ? { succeeded: 0, outputs: [] } : [];
    await settleStep(state, plan, runId, { step, opening }, { state: 'succeeded', output, previous }, 'succeeded');
    return;
  }
  const budget = plan.definition.budget;
  const costUSD = (step.work?.costUSD ?? 0) * items.length;
  if (budget?.costUSD !== undefined && costUSD > budget.costUSD) {
    throw new FlotillaError(
      'BUDGET_EXCEEDED',
      `${items.length} items would cost ${costUSD} USD; the budget is ${budget.costUSD}`,
    );
  }
  const reply = await state.transitions.startMap({ ...addressOf(state, runId, step), opening }, items, {
    concurrency: map.concurrency,
    toleratedFailures: toleratedFailures(map, items.length),
    maxSteps: budget?.maxSteps,
    definitionSteps: plan.steps.length,
    mode: modeOfItems(map, items.length),
  });
  if (reply === 'budget') {
    throw new FlotillaError(
      'BUDGET_EXCEEDED',
      `${items.length} items would exceed the budget of ${budget?.maxSteps} steps`,
    );
  }
}

/** How the items of a map, broadcast or loop end it. */
export function modeOfItems(map: PlanMap, items: number): MapSettings['mode'] {
  if (map.mode === 'loop') return 'loop';
  return map.mode === 'broadcast' ? { neededSuccesses: neededSuccesses(map, items) } : undefined;
}

/** What is made from what was read chains to this. */
function checksumOfReads(reads: readonly number[], sources: ReadonlyMap<number, Source>): string {
  return chainChecksums(reads.map((index) => sources.get(index)?.checksum ?? ''));
}

/** Nobody has made it; a task of an earlier opening of the run may have had it parked by a worker without the handler. */
const NOT_BEGUN = NO_HEADER + STEP.parked;

interface Settlement {
  state: 'succeeded' | 'skipped';
  reason?: string;
  output?: Json;
  previous?: string;
  from?: string;
  timers?: string;
}

export async function settleStep(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { step, opening }: StepOfOpening,
  settlement: Settlement,
  outcome: SettledOutcome,
): Promise<void> {
  const { output, previous = '' } = settlement;
  const createdAt = await state.run(runId).readCreatedAt();
  const base = {
    ...addressOf(state, runId, step),
    createdAt,
    state: settlement.state,
    reason: settlement.reason,
    from: settlement.from ?? NO_HEADER,
    failFast: plan.failFast,
    endStep: step.endStep,
    opening,
    timers: settlement.timers ?? '',
    edges: countedEdges(plan, step.index, outcome),
  };
  if (output === undefined) {
    await state.transitions.settle(base);
    return;
  }
  const stateJson = canonicalJson(output);
  // No attempt made it, so there is no fence: the run's creation stands in its place.
  const envelope = { runId, stepId: step.id, seq: 1, fence: createdAt, stateJson, ts: createdAt, previous };
  const checkpoint = { ts: createdAt, seq: 1, checksum: state.seal.checksumOf(envelope), previous };
  await state.transitions.settle({ ...base, bodyJson: stateJson, checkpoint });
}

/** A failure that was found before any attempt: not retried. */
export async function failStep(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { step, opening }: StepOfOpening,
  error: StepError,
  from = STATES.unclaimed + STEP.delaying,
): Promise<void> {
  await state.transitions.fail({
    ...addressOf(state, runId, step),
    attempt: { from },
    opening,
    event: 'attempt-failed',
    ...failureOfStep(plan, { step, item: undefined }, error),
  });
}

function addressOf(state: State<Plan>, runId: string, step: PlanStep): StepAddress {
  return { tag: state.tagOf(runId), runId, key: String(step.index) };
}
