import {
  DEFAULT_RETRY_POLICY,
  type EventType,
  type HistoryEvent,
  type StepView,
  type WorkflowDefinition,
} from '@flotilla/contracts';
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

/** What the history tells of one step, in order. */
export interface StepFacts {
  stepId: string;
  view: StepView | undefined;
  events: readonly HistoryEvent[];
  starts: readonly HistoryEvent[];
  /** Ends of attempts, whoever signed them. */
  ends: readonly HistoryEvent[];
}

/** What several invariants ask of a run. */
export interface RunFacts {
  record: RecordedRun;
  runId: string;
  events: readonly HistoryEvent[];
  steps: ReadonlyMap<string, StepFacts>;
  terminal: readonly HistoryEvent[];
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
  forMs?: number;
  attemptMs?: number | undefined;
  heartbeatMs?: number | undefined;
  totalMs?: number | undefined;
  /** It is undone when its run does not succeed. */
  compensated?: boolean;
}

export function runFacts(record: RecordedRun): RunFacts {
  const steps = stepFacts(record);
  const needsOf = (stepId: string): readonly string[] => {
    const own = mapOf(stepId);
    return steps.get(stepId)?.view?.needs ?? steps.get(own)?.view?.needs ?? record.definition?.steps[own]?.needs ?? [];
  };
  return {
    record,
    runId: record.run.runId,
    events: record.events,
    steps,
    terminal: record.events.filter(({ type }) => TERMINAL_STATUS.has(type)),
    needsOf,
    ruleOf: (stepId) => ruleOf(record.definition, stepId),
  };
}

/** The step that an item belongs to, `notify` for `notify[3]`; else the step itself. */
export function mapOf(stepId: string): string {
  return stepId.replace(/\[\d+\]$/, '');
}

function stepFacts({ steps, events }: RecordedRun): Map<string, StepFacts> {
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
    found.set(stepId, {
      stepId,
      view: views.get(stepId),
      events: own,
      starts: own.filter(({ type }) => type === 'attempt-started'),
      ends: own.filter(({ type }) => ATTEMPT_ENDS.has(type)),
    });
  }
  return found;
}

function ruleOf(definition: WorkflowDefinition | undefined, stepId: string): StepRule | undefined {
  const base = mapOf(stepId);
  const step = definition?.steps[base];
  if (definition === undefined || step === undefined) return undefined;
  const work = step.kind === 'map' && base !== stepId ? step.each : step;
  const rule: StepRule = { kind: work.kind, join: step.join ?? 'all', maxAttempts: DEFAULT_RETRY_POLICY.maxAttempts };
  if (work.kind === 'delay') return { ...rule, forMs: work.forMs };
  if (work.kind === 'branch' || work.kind === 'map') return rule;
  if (work.kind === 'task') rule.use = work.use;
  if (work.compensate !== undefined) rule.compensated = true;
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
