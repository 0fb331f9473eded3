import {
  type CompensationDefinition,
  DEFAULT_ATTEMPT_MS,
  DEFAULT_CLEANUP_TOTAL_MS,
  DEFAULT_RETRY_POLICY,
  MAX_MAP_ITEMS,
  type MapEachDefinition,
  type RetryPolicy,
  type RetryPolicyInput,
  type StepDefinition,
  type Timeouts,
  type WorkflowDefinition,
} from '@flotilla/contracts';
import { buildGroups, type Groups } from './build-groups.ts';
import type { CanonicalCopy } from './canonical-copy.ts';
import { type CompiledStep, LOOP_ITEM_NAME, TURN_ITEM_NAME } from './compile-step.ts';
import type { CleanupWork, Plan, PlanMap, PlanStep, PlanWork, Template } from './plan.ts';
import { estimatePlanBytes } from './plan-bytes.ts';
import { mostTurns, planTurns } from './plan-turns.ts';
import type { StepGraph } from './step-graph.ts';
import { workOf } from './work-of-step.ts';

export interface PlanParts {
  hash: string;
  source: CanonicalCopy;
  definition: WorkflowDefinition;
  graph: StepGraph;
  depth: number;
  compiled: readonly CompiledStep[];
  output: Template | undefined;
}

const DEFAULT_MAP_CONCURRENCY = 10;
const DEFAULT_QUEUE = 'default';

/** Puts together a plan from parts in which no problem was found. */
export function buildPlan({ hash, source, definition, graph, depth, compiled, output }: PlanParts): Plan {
  const groups = buildGroups(definition, graph);
  const steps = graph.ids.map((id, index) =>
    buildStep(index, definition.steps[id]!, definition, graph, groups, compiled[index]!),
  );
  const edges = graph.parents.reduce((sum, parents) => sum + parents.length, 0);
  return {
    hash,
    definition,
    memoryBytes: estimatePlanBytes({
      ...{ characters: source.text.length, keys: source.keys, containers: source.containers },
      ...{ steps: steps.length, edges, expressions: countExpressions(compiled, output) },
    }),
    steps,
    stepIndex: graph.stepIndex,
    groups: groups.groups,
    entryGroup: groups.entryGroup,
    endSteps: steps.filter((step) => step.endStep).length,
    depth,
    failFast: definition.failFast ?? true,
    timeoutMs: smaller(definition.timeoutMs, definition.budget?.wallClockMs),
    output,
  };
}

function countExpressions(compiled: readonly CompiledStep[], output: Template | undefined): number {
  const templates = [output, ...compiled.flatMap(({ input, request }) => [input, request])];
  return templates.reduce((sum, template) => sum + (template?.expressions.length ?? 0), 0);
}

function buildStep(
  index: number,
  step: StepDefinition,
  definition: WorkflowDefinition,
  graph: StepGraph,
  { groups, groupOf, edgesOf }: Groups,
  compiled: CompiledStep,
): PlanStep {
  const edges = edgesOf[index]!;
  return {
    index,
    id: graph.ids[index]!,
    title: step.title,
    kind: step.kind,
    needs: graph.parents[index]!,
    group: groupOf[index]!,
    edges,
    endStep: !edges.some((edge) => groups[edge.group]!.join !== 'any'),
    when: compiled.when,
    tolerated: 'tolerate' in step && step.tolerate === true,
    work: buildWork(step, definition, compiled),
    forMs: step.kind === 'delay' && typeof step.forMs === 'number' ? step.forMs : undefined,
    delay: compiled.delay,
    cases:
      step.kind === 'branch'
        ? step.cases.map(({ to }, position) => ({ when: compiled.cases[position]!, to: graph.stepIndex.get(to)! }))
        : undefined,
    otherwise: step.kind === 'branch' && step.otherwise !== undefined ? graph.stepIndex.get(step.otherwise) : undefined,
    map: buildMap(step, compiled),
    wait: compiled.wait,
  };
}

function buildMap(step: StepDefinition, compiled: CompiledStep): PlanMap | undefined {
  const items = {
    ...{ mode: step.kind, over: compiled.over, count: undefined, until: compiled.until },
    ...{ maxIterations: 1, turns: undefined },
  };
  const plain = { as: 'item', concurrency: 1, toleratedFailures: 0, decide: 'all' as const };
  switch (step.kind) {
    case 'map':
      return {
        ...{ ...items, ...plain, mode: 'map', as: step.as ?? 'item' },
        concurrency: step.concurrency ?? DEFAULT_MAP_CONCURRENCY,
        toleratedFailures: step.tolerate?.failures ?? 0,
      };
    case 'broadcast':
      return {
        ...{ ...items, ...plain, mode: 'broadcast', as: step.as ?? 'item' },
        ...{ count: step.count, concurrency: MAX_MAP_ITEMS, decide: step.decide ?? 'all' },
      };
    case 'loop':
      return { ...items, ...plain, mode: 'loop', as: LOOP_ITEM_NAME, maxIterations: step.maxIterations };
    case 'handoff':
    case 'conversation': {
      const turns = planTurns(step, compiled.next);
      return { ...items, ...plain, mode: 'loop', as: TURN_ITEM_NAME, maxIterations: mostTurns(step), turns };
    }
    default:
      return undefined;
  }
}

function buildWork(
  step: StepDefinition,
  definition: WorkflowDefinition,
  { input, request }: CompiledStep,
): PlanWork | undefined {
  const work = workOf(step);
  if (work === undefined) return undefined;
  const capability = work.kind === 'agent' ? work.capability : undefined;
  const queue = work.queue ?? (capability === undefined ? DEFAULT_QUEUE : `cap.${capability}`);
  const retry = decideRetryPolicy(definition.retry, work.retry);
  const timeouts = decideTimeouts(definition.timeouts, work.timeouts);
  const requestTimeoutMs =
    work.kind === 'http' ? (work.timeouts?.attemptMs ?? definition.timeouts?.attemptMs) : undefined;
  return {
    kind: work.kind,
    use: handlerOf(work),
    capability,
    queue,
    input,
    request,
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    retry,
    timeouts,
    breaker: work.breaker,
    onCorruptCheckpoint: work.onCorruptCheckpoint ?? 'fail',
    compensation: buildCompensation(work.compensate, {
      ...{ queue, retry, breaker: work.breaker },
      attemptMs: timeouts.attemptMs,
    }),
    toolAllowlist: work.toolAllowlist,
    costUSD: work.costUSD,
  };
}

/** Settings that it does not have are the step's, but for the limits that are about when the step starts and settles. */
function buildCompensation(
  compensate: MapEachDefinition['compensate'],
  step: { queue: string; retry: RetryPolicy; breaker: string | undefined; attemptMs: number },
): CleanupWork | undefined {
  if (compensate === undefined) return undefined;
  const { use, queue, retry, timeouts }: CompensationDefinition =
    typeof compensate === 'string' ? { use: compensate } : compensate;
  return {
    use,
    queue: queue ?? step.queue,
    retry: decideRetryPolicy(step.retry, retry),
    breaker: step.breaker,
    timeouts: {
      attemptMs: timeouts?.attemptMs ?? step.attemptMs,
      totalMs: timeouts?.totalMs ?? DEFAULT_CLEANUP_TOTAL_MS,
    },
  };
}

function handlerOf(work: MapEachDefinition): string {
  if (work.kind === 'task') return work.use;
  return work.kind === 'http' ? 'flotilla.http' : `agent:${work.capability}`;
}

/** Field by field: the step's own wins over the workflow's, which wins over the default. */
function decideRetryPolicy(workflow: RetryPolicyInput = {}, step: RetryPolicyInput = {}): RetryPolicy {
  return {
    maxAttempts: step.maxAttempts ?? workflow.maxAttempts ?? DEFAULT_RETRY_POLICY.maxAttempts,
    initialMs: step.initialMs ?? workflow.initialMs ?? DEFAULT_RETRY_POLICY.initialMs,
    factor: step.factor ?? workflow.factor ?? DEFAULT_RETRY_POLICY.factor,
    maxMs: step.maxMs ?? workflow.maxMs ?? DEFAULT_RETRY_POLICY.maxMs,
    jitter: step.jitter ?? workflow.jitter ?? DEFAULT_RETRY_POLICY.jitter,
    maxElapsedMs: step.maxElapsedMs ?? workflow.maxElapsedMs ?? DEFAULT_RETRY_POLICY.maxElapsedMs,
    rateLimitedMs: step.rateLimitedMs ?? workflow.rateLimitedMs ?? DEFAULT_RETRY_POLICY.rateLimitedMs,
  };
}

function decideTimeouts(workflow: Timeouts = {}, step: Timeouts = {}): PlanWork['timeouts'] {
  const timeouts: PlanWork['timeouts'] = { attemptMs: step.attemptMs ?? workflow.attemptMs ?? DEFAULT_ATTEMPT_MS };
  for (const limit of ['queuedMs', 'heartbeatMs', 'totalMs'] as const) {
    const limitMs = step[limit] ?? workflow[limit];
    if (limitMs !== undefined) timeouts[limit] = limitMs;
  }
  return timeouts;
}

function smaller(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.min(left, right);
}
