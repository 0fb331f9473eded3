import {
  type AgentView,
  FlotillaError,
  type Gate,
  isSettledStepStatus,
  isTerminalRunStatus,
  type RunView,
  type StepView,
  type Why,
} from '@flotilla/contracts';
import { cleanupWorkOf, type Plan } from '@flotilla/engine';
import type { TaskQueues } from '@flotilla/queue';
import type { State, Waits } from '@flotilla/state';
import { type BreakerFacts, gatesOfStep, isDispatched, type QueueFacts, type WaitContext } from './gates-of-step.ts';

export interface ExplainDependencies {
  state: State<Plan>;
  queues: Pick<TaskQueues, 'waitingCount' | 'positionOf'>;
  listAgents: () => Promise<readonly AgentView[]>;
  /** Breakers by name; undefined when they are unknown. */
  readBreakers: (names: readonly string[]) => Promise<ReadonlyMap<string, BreakerFacts>>;
}

export interface ExplainQuery {
  /** Only this step, or item of a map. */
  stepId?: string | undefined;
  /** Most gates that are told. */
  limit: number;
}

/** Steps that are looked at: what one answer may cost. */
const MOST_STEPS = 2000;
const PAGE = 500;
/** Tasks of a queue among which a step is looked for. */
const MOST_TASKS = 500;
/** Waiting steps whose place in their queue is looked up. */
const MOST_PLACES = 5;
const LAST_EVENTS = 1000;

/** Every gate that holds a run or its steps, from state alone. RUN_NOT_FOUND, STEP_NOT_FOUND. */
export async function explainRun(
  dependencies: ExplainDependencies,
  runId: string,
  { stepId, limit }: ExplainQuery,
): Promise<Why> {
  const { state } = dependencies;
  const run = await state.readRun(runId);
  if (run === undefined) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  const plan = await state.readPlan(state.tagOf(runId), run.definitionHash);
  const { steps, isWhole } = await readSteps(state, runId);
  const asked = stepId === undefined ? [...steps.values()] : await readAsked(state, plan, runId, stepId, steps);
  const hasEnded = isTerminalRunStatus(run.status);
  const isReopening = run.status === 'pending' && run.opening !== undefined && (await state.isReopening(runId));
  // What its steps say is of the opening before, and on its way out.
  const open = hasEnded || isReopening ? [] : asked.filter(({ status }) => !isSettledStepStatus(status));
  const keyed = open.map((step): KeyedStep => ({ step, key: keyOf(plan, step.stepId)! }));
  const cleanup = await cleanupInTurn(state, plan, run);
  if (cleanup !== undefined && (stepId ?? cleanup.step.stepId) === cleanup.step.stepId) keyed.push(cleanup);
  const around = await readSurroundings(dependencies, run, keyed, steps);
  const ofRun = hasEnded ? [] : await gatesOfRun(state, plan, { ...run, isReopening }, around.waits);
  const gates = [...ofRun, ...gatesOfSteps(plan, keyed, around)];
  return {
    runId,
    status: run.status,
    now: around.waits.now,
    gates: gates.slice(0, limit),
    truncated: gates.length > limit || (stepId === undefined && !isWhole),
  };
}

interface KeyedStep {
  step: StepView;
  key: string;
  /** Of a cleanup, which waits as a step does: what its gates begin with. */
  what?: string;
}

/** The compensation or registered cleanup whose turn it is while the run ends; undefined before and when none is left. */
async function cleanupInTurn(state: State<Plan>, plan: Plan, run: RunView): Promise<KeyedStep | undefined> {
  const { runId, status, cleanups, counts } = run;
  if (status !== 'cancelling' || cleanups === undefined || cleanups.left === 0) return undefined;
  const page = await state.listCleanups(runId, { cursor: String(cleanups.left - 1), limit: 1 });
  const [cleanup] = page.cleanups;
  const key = cleanup === undefined ? undefined : keyOf(plan, cleanup.stepId);
  if (cleanup === undefined || key === undefined) return undefined;
  const { number, stepId, kind, use, attempts, startedAt, worker, reason, nextAttemptAt, error } = cleanup;
  // Attempts of steps have to end before the first cleanup is handed out.
  if (cleanup.status === 'registered' && counts !== undefined) return undefined;
  const work = cleanupWorkOf(plan.steps[Number.parseInt(key, 10)], kind === 'registered' ? use : undefined);
  const step: StepView = {
    ...{ stepId, kind: 'task', attempts, use },
    status: cleanup.status === 'registered' ? 'ready' : cleanup.status,
    ...(work !== undefined && { queue: work.queue }),
    ...(startedAt !== undefined && { since: startedAt }),
    ...(worker !== undefined && { worker }),
    ...(reason !== undefined && { reason }),
    ...(nextAttemptAt !== undefined && { nextAttemptAt }),
    ...(error !== undefined && { error }),
  };
  const what = kind === 'registered' ? `its cleanup ${use}` : `its compensation ${use}`;
  return { step, key: `${key}!${number}`, what };
}

interface AroundAll {
  run: RunView;
  steps: ReadonlyMap<string, StepView>;
  waits: Waits;
  agents: readonly AgentView[];
  breakers: ReadonlyMap<string, BreakerFacts>;
  /** By step key. */
  queues: ReadonlyMap<string, QueueFacts>;
}

async function readSteps(
  state: State<Plan>,
  runId: string,
): Promise<{ steps: Map<string, StepView>; isWhole: boolean }> {
  const steps = new Map<string, StepView>();
  let cursor: string | undefined;
  do {
    const page = await state.listSteps(runId, { limit: PAGE, cursor });
    for (const step of page.steps) steps.set(step.stepId, step);
    cursor = page.cursor;
  } while (cursor !== undefined && steps.size < MOST_STEPS);
  return { steps, isWhole: cursor === undefined };
}

/** The step that was asked for; of a map its items that were read, too. */
async function readAsked(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  stepId: string,
  steps: Map<string, StepView>,
): Promise<StepView[]> {
  const key = keyOf(plan, stepId);
  if (key === undefined) throw stepNotFound(runId, stepId);
  if (!steps.has(stepId)) {
    const [step, item = ''] = key.split('.');
    const page = await state.listSteps(runId, { limit: 1, cursor: `${step}.${item}` });
    const found = page.steps[0];
    // An item that the map does not have, or has not come to.
    if (found?.stepId !== stepId) throw stepNotFound(runId, stepId);
    steps.set(stepId, found);
  }
  return [...steps.values()].filter((step) => step.stepId === stepId || step.stepId.startsWith(`${stepId}[`));
}

function stepNotFound(runId: string, stepId: string): FlotillaError {
  return new FlotillaError('STEP_NOT_FOUND', `run ${runId} has no step ${stepId}`);
}

/** `3` of a step, `3.7` of an item of a map. */
function keyOf(plan: Plan, stepId: string): string | undefined {
  const [, id = stepId, item] = /^(.*)\[(\d{1,6})\]$/.exec(stepId) ?? [];
  const index = plan.stepIndex.get(id);
  if (index === undefined) return undefined;
  return item === undefined ? String(index) : `${index}.${item}`;
}

async function readSurroundings(
  { state, queues, listAgents, readBreakers }: ExplainDependencies,
  run: RunView,
  keyed: readonly KeyedStep[],
  steps: ReadonlyMap<string, StepView>,
): Promise<AroundAll> {
  const timers = keyed.flatMap(({ step: { status, kind }, key }) => {
    if (status === 'parked') return [`p|${key}`, `w|${key}`];
    if (status === 'backing-off') return [`b|${key}`];
    return status === 'running' && kind === 'delay' ? [`d|${key}`] : [];
  });
  const workers = [...new Set(keyed.flatMap(({ step }) => (step.worker === undefined ? [] : [step.worker])))];
  const breakerNames = keyed.flatMap(({ step: { status, reason = '' } }) =>
    status === 'parked' && reason.startsWith('breaker:') ? [reason.slice('breaker:'.length)] : [],
  );
  const [waits, agents, breakers, places] = await Promise.all([
    state.readWaits(run.runId, timers, workers),
    listAgents(),
    readBreakers([...new Set(breakerNames)]),
    readPlaces(queues, run.runId, keyed, steps),
  ]);
  return { run, steps, waits, agents, breakers, queues: places };
}

/** Where the first few waiting steps stand in their queues, and how long those are. */
async function readPlaces(
  queues: ExplainDependencies['queues'],
  runId: string,
  keyed: readonly KeyedStep[],
  steps: ReadonlyMap<string, StepView>,
): Promise<Map<string, QueueFacts>> {
  const waiting = keyed.filter(({ step }) => step.status === 'ready' || isDispatched(step, { steps }));
  const names = new Set(waiting.map(({ step }) => step.queue ?? 'default'));
  const depths = new Map(
    await Promise.all(Array.from(names, async (name) => [name, await queues.waitingCount(name)] as const)),
  );
  const facts = await Promise.all(
    waiting.map(async ({ step, key }, index): Promise<[string, QueueFacts]> => {
      const name = step.queue ?? 'default';
      const position = index < MOST_PLACES ? await queues.positionOf(name, runId, key, MOST_TASKS) : undefined;
      return [key, { depth: depths.get(name) ?? 0, position }];
    }),
  );
  return new Map(facts);
}

function gatesOfSteps(plan: Plan, keyed: readonly KeyedStep[], around: AroundAll): Gate[] {
  const { waits, run, steps, agents, breakers, queues } = around;
  return keyed.flatMap(({ step, key, what }) => {
    const surroundings: WaitContext = {
      ...{ now: waits.now, runCreatedAt: run.createdAt, isPaused: run.status === 'paused', steps, agents },
      timer: (letter) => waits.timers.get(`${letter}|${key}`),
      leaseEnd: (worker) => waits.leases.get(worker),
      breaker: (name) => breakers.get(name),
      queue: queues.get(key),
      mapConcurrency: plan.steps[Number.parseInt(key, 10)]?.map?.concurrency,
    };
    const gates = gatesOfStep(step, surroundings);
    return what === undefined ? gates : gates.map((gate) => ({ ...gate, message: `${what}: ${gate.message}` }));
  });
}

/** What holds the run as a whole. */
async function gatesOfRun(
  state: State<Plan>,
  plan: Plan,
  run: RunView & { isReopening: boolean },
  { now }: Waits,
): Promise<Gate[]> {
  const { status, runId } = run;
  if (run.isReopening) {
    const since = (await lastEventAt(state, runId, ['run-retried'])) ?? now;
    const message =
      'the run is being opened again: what is made anew is being taken back, and no step starts until it is';
    return [{ gate: 'reopening', subject: runId, since, message }];
  }
  if (status === 'paused') {
    const since = (await lastEventAt(state, runId, ['run-paused'])) ?? now;
    return [{ gate: 'pause', subject: runId, since, message: 'the run is paused: no step starts until it is resumed' }];
  }
  if (status === 'cancelling') {
    const since = await endingSince(state, plan, run);
    const message = 'the run is ending: attempts are being stopped, and what it has done is being undone';
    return [{ gate: 'ending', subject: runId, since, message }];
  }
  return [];
}

/** What a run begins to end by, besides its time limit. */
const BEGINS_TO_END = ['cancel-requested', 'step-failed', 'step-quarantined'];

async function endingSince(state: State<Plan>, { timeoutMs }: Plan, run: RunView): Promise<number> {
  const { runId, createdAt, cleanups, opening } = run;
  if (cleanups?.outcome === 'timed-out' && timeoutMs !== undefined && opening === undefined)
    return createdAt + timeoutMs;
  return (await lastEventAt(state, runId, BEGINS_TO_END)) ?? createdAt;
}

/** When an event of these types was last recorded, among the last events. */
async function lastEventAt(state: State<Plan>, runId: string, types: readonly string[]): Promise<number | undefined> {
  const length = await state.historyLength(runId);
  const page = await state.readHistory(runId, { after: Math.max(-1, length - 1 - LAST_EVENTS), limit: LAST_EVENTS });
  return page.events.findLast(({ type }) => types.includes(type))?.at;
}
