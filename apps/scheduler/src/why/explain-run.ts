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
import type { Plan } from '@flotilla/engine';
import type { TaskQueues } from '@flotilla/queue';
import { readWaits, type State, type Waits } from '@flotilla/state';
import { type BreakerFacts, gatesOfStep, isDispatched, type QueueFacts, type Surroundings } from './gates-of-step.ts';

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
const LAST_EVENTS = 200;

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
  const open = hasEnded ? [] : asked.filter(({ status }) => !isSettledStepStatus(status));
  const keyed = open.map((step): KeyedStep => ({ step, key: keyOf(plan, step.stepId)! }));
  const around = await readSurroundings(dependencies, run, keyed, steps);
  const gates = [...(hasEnded ? [] : await gatesOfRun(state, run, around.waits)), ...gatesOfSteps(plan, keyed, around)];
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
  const address = { tag: state.tagOf(run.runId), runId: run.runId };
  const timers = keyed.flatMap(({ step: { status, kind }, key }) => {
    if (status === 'parked') return [`p|${key}`];
    if (status === 'backing-off') return [`b|${key}`];
    return status === 'running' && kind === 'delay' ? [`d|${key}`] : [];
  });
  const workers = [...new Set(keyed.flatMap(({ step }) => (step.worker === undefined ? [] : [step.worker])))];
  const breakerNames = keyed.flatMap(({ step: { status, reason = '' } }) =>
    status === 'parked' && reason.startsWith('breaker:') ? [reason.slice('breaker:'.length)] : [],
  );
  const [waits, agents, breakers, places] = await Promise.all([
    readWaits(state.client, address, timers, workers),
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
  return keyed.flatMap(({ step, key }) => {
    const surroundings: Surroundings = {
      ...{ now: waits.now, runCreatedAt: run.createdAt, steps, agents },
      timer: (letter) => waits.timers.get(`${letter}|${key}`),
      leaseEnd: (worker) => waits.leases.get(worker),
      breaker: (name) => breakers.get(name),
      queue: queues.get(key),
      mapConcurrency: plan.steps[Number.parseInt(key, 10)]?.map?.concurrency,
    };
    return gatesOfStep(step, surroundings);
  });
}

/** What holds the run as a whole. */
async function gatesOfRun(state: State<Plan>, run: RunView, { now }: Waits): Promise<Gate[]> {
  const { status, runId } = run;
  if (status === 'paused') {
    const since = (await lastEventAt(state, runId, 'run-paused')) ?? now;
    return [{ gate: 'pause', subject: runId, since, message: 'the run is paused: no step starts until it is resumed' }];
  }
  if (status === 'cancelling') {
    const since = (await lastEventAt(state, runId, 'cancel-requested')) ?? run.createdAt;
    const message = 'the run is ending: attempts are being stopped, and what it has done is being undone';
    return [{ gate: 'ending', subject: runId, since, message }];
  }
  return [];
}

/** When an event of this type was last recorded, among the last events. */
async function lastEventAt(state: State<Plan>, runId: string, type: string): Promise<number | undefined> {
  const length = await state.historyLength(runId);
  const page = await state.readHistory(runId, { after: Math.max(-1, length - 1 - LAST_EVENTS), limit: LAST_EVENTS });
  return page.events.findLast((event) => event.type === type)?.at;
}
