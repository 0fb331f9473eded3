import {
  DEFAULT_RETRY_POLICY,
  type EventType,
  type HistoryEvent,
  isWorkStep,
  type StepView,
  type WorkflowDefinition,
} from '@flotilla/contracts';
import { findResets, type Reset } from './find-resets.ts';
import type { RecordedRun } from './recording.ts';

export const TERMINAL_STATUS: ReadonlyMap<EventType, string> = new Map([
  ['run-succeeded', 'succeeded'],
  ['run-failed', 'failed'],
  ['run-cancelled', 'cancelled'],
  ['run-timed-out', 'timed-out'],
]);
export const ATTEMPT_ENDS: ReadonlySet<EventType> = new Set<EventType>([
  'attempt-succeeded',
  'attempt-failed',
  'attempt-timed-out',
  'attempt-lost',
  'attempt-cancelled',
]);
export const CHARGED: ReadonlySet<EventType> = new Set<EventType>(['attempt-failed', 'attempt-timed-out']);
export const SETTLED: ReadonlySet<EventType> = new Set<EventType>([
  'step-succeeded',
  'step-failed',
  'step-skipped',
  'step-cancelled',
  'step-quarantined',
]);

/** A step from its beginning to the run's end, or until a retry of the run makes it anew. */
export interface StepLife {
  events: readonly HistoryEvent[];
  starts: readonly HistoryEvent[];
  /** Ends of attempts, whoever signed them. */
  ends: readonly HistoryEvent[];
}

/** What the history tells of one step, in order. */
export interface StepFacts extends StepLife {
  stepId: string;
  view: StepView | undefined;
  /** One, and one more for each retry that made it anew. */
  lives: readonly StepLife[];
}

/** What several invariants ask of a run. */
export interface RunFacts {
  record: RecordedRun;
  runId: string;
  events: readonly HistoryEvent[];
  steps: ReadonlyMap<string, StepFacts>;
  /** One for each time that the run was opened. */
  terminal: readonly HistoryEvent[];
  /** The events from each opening of the run to the next. */
  openings: readonly (readonly HistoryEvent[])[];
  resets: readonly Reset[];
  needsOf(stepId: string): readonly string[];
  /** Undefined when the definition is not known. */
  ruleOf(stepId: string): StepRule | undefined;
}

interface StepRule {
  kind: string;
  /** Handler of a task. */
  use?: string;
  join: 'all' | 'any' | 'settled';
  maxAttempts: number;
  /** The breaker of the dependency that it calls. */
  breaker?: string;
  forMs?: number;
  attemptMs?: number | undefined;
  heartbeatMs?: number | undefined;
  totalMs?: number | undefined;
  /** It is undone when its run does not succeed. */
  compensated?: boolean;
  /** Its failure is not the run's. */
  tolerated?: boolean;
}

export function runFacts(record: RecordedRun): RunFacts {
  const views = new Map(record.steps.map((view) => [view.stepId, view]));
  const needsOf = (stepId: string): readonly string[] => {
    const own = mapOf(stepId);
    return views.get(stepId)?.needs ?? views.get(own)?.needs ?? record.definition?.steps[own]?.needs ?? [];
  };
  const joinsAny = (stepId: string) => ruleOf(record.definition, stepId)?.join === 'any';
  const resets = findResets(record, { needsOf, joinsAny });
  const steps = stepFacts(record, resets);
  return {
    record,
    runId: record.run.runId,
    events: record.events,
    steps,
    terminal: record.events.filter(({ type }) => TERMINAL_STATUS.has(type)),
    openings: splitAt(
      record.events,
      resets.map(({ event }) => event),
    ),
    resets,
    needsOf,
    ruleOf: (stepId) => ruleOf(record.definition, stepId),
  };
}

/** The step that an item belongs to, `notify` for `notify[3]`; else the step itself. */
export function mapOf(stepId: string): string {
  return stepId.replace(/\[\d+\]$/, '');
}

/** Each of the given events begins another part. */
function splitAt(events: readonly HistoryEvent[], at: readonly HistoryEvent[]): HistoryEvent[][] {
  const starts = [0, ...at.map(({ seq }) => seq), Number.POSITIVE_INFINITY];
  return starts
    .slice(0, -1)
    .map((start, index) => events.filter(({ seq }) => seq >= start && seq < starts[index + 1]!));
}

function lifeOf(events: readonly HistoryEvent[]): StepLife {
  return {
    events,
    starts: events.filter(({ type }) => type === 'attempt-started'),
    ends: events.filter(({ type }) => ATTEMPT_ENDS.has(type)),
  };
}

function stepFacts({ steps, events }: RecordedRun, resets: readonly Reset[]): Map<string, StepFacts> {
  const byStep = new Map<string, HistoryEvent[]>(steps.map(({ stepId }) => [stepId, []]));
  for (const event of events) {
    if (event.stepId === undefined) continue;
    const own = byStep.get(event.stepId);
    if (own === undefined) byStep.set(event.stepId, [event]);
    else own.push(event);
  }
  const views = new Map(steps.map((view) => [view.stepId, view]));
  const found = new Map<string, StepFacts>();
  for (const [stepId, own] of byStep) {
    const anewAt = resets.filter((reset) => reset.steps.has(stepId)).map(({ event }) => event);
    const lives = splitAt(own, anewAt).map(lifeOf);
    found.set(stepId, { stepId, view: views.get(stepId), ...lifeOf(own), lives });
  }
  return found;
}

function ruleOf(definition: WorkflowDefinition | undefined, stepId: string): StepRule | undefined {
  const base = mapOf(stepId);
  const step = definition?.steps[base];
  if (definition === undefined || step === undefined) return undefined;
  const work = (base !== stepId && 'each' in step ? step.each : undefined) ?? step;
  const rule: StepRule = { kind: work.kind, join: step.join ?? 'all', maxAttempts: DEFAULT_RETRY_POLICY.maxAttempts };
  if ('tolerate' in step && step.tolerate === true) rule.tolerated = true;
  if (work.kind === 'delay') return typeof work.forMs === 'number' ? { ...rule, forMs: work.forMs } : rule;
  if (!isWorkStep(work)) return rule;
  if (work.kind === 'task') rule.use = work.use;
  if (work.compensate !== undefined) rule.compensated = true;
  if (work.breaker !== undefined) rule.breaker = work.breaker;
  rule.maxAttempts = work.retry?.maxAttempts ?? definition.retry?.maxAttempts ?? rule.maxAttempts;
  return { ...rule, ...definition.timeouts, ...work.timeouts };
}

/** The last event of the step before this one for which the question is answered with yes. */
export function lastBefore(
  events: readonly HistoryEvent[],
  { seq }: HistoryEvent,
  matches: (event: HistoryEvent) => boolean,
): HistoryEvent | undefined {
  return events.findLast((event) => event.seq < seq && matches(event));
}
