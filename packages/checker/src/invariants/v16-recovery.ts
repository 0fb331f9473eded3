import type { HistoryEvent } from '@flotilla/contracts';
import type { FaultEntry } from '../recording.ts';
import { ATTEMPT_ENDS, type RunFacts, SETTLED, type StepFacts } from '../run-facts.ts';
import type { CheckContext, Invariant, Violation } from '../violation.ts';
import { recoveryBoundMs } from './excuses.ts';

export const v16: Invariant = {
  id: 'V16',
  title:
    'Every fault hit, and what it hit goes on within its bound: steps of its workers start again, waiting runs move.',
  check: (context) =>
    context.recording.faults.flatMap((fault) => [...findUnproven(fault), ...findStuck(fault, context)]),
};

function findUnproven(fault: FaultEntry): Violation[] {
  if (fault.proof.length > 0) return [];
  return [
    { invariant: 'V16', message: `nothing shows that fault ${fault.faultId} (${fault.kind}) hit`, evidence: [fault] },
  ];
}

function findStuck(fault: FaultEntry, context: CheckContext): Violation[] {
  return context.runs.flatMap((run) => {
    const [end] = run.terminal;
    const [created] = run.events;
    if (created === undefined || created.at > fault.endAt || (end !== undefined && end.at < fault.startAt)) return [];
    return [...findSlowSteps(fault, run, context), ...findStandstill(fault, run, context)];
  });
}

/** Steps whose attempt was taken from a worker that the fault hit, and that were not started again in time. */
function findSlowSteps(fault: FaultEntry, run: RunFacts, { bounds }: CheckContext): Violation[] {
  const boundMs = recoveryBoundMs(fault, bounds);
  return [...run.steps.values()].flatMap((step) =>
    step.starts.flatMap((start, index) => {
      const next = step.starts[index + 1];
      if (!fault.targets.includes(start.worker ?? '') || start.at > fault.startAt) return [];
      const end = endOf(step, start, next);
      if ((end?.at ?? Number.POSITIVE_INFINITY) < fault.startAt) return [];
      if (end === undefined ? run.terminal.length > 0 : end.type !== 'attempt-lost') return [];
      // A run that ends otherwise, or a step that is quarantined, does not start it again.
      if (next === undefined && (run.terminal.length > 0 || step.events.some(({ type }) => SETTLED.has(type))))
        return [];
      const waitedMs = (next?.at ?? Number.POSITIVE_INFINITY) - fault.startAt;
      if (waitedMs <= boundMs) return [];
      const message = `${step.stepId} waited ${waitedMs} ms for another attempt after ${fault.kind} ${fault.faultId}; ${boundMs} are allowed`;
      return [violationOf(run, message, [fault, start, end, next])];
    }),
  );
}

function endOf({ ends }: StepFacts, start: HistoryEvent, next: HistoryEvent | undefined): HistoryEvent | undefined {
  return ends.find(({ seq }) => seq > start.seq && seq < (next?.seq ?? Number.POSITIVE_INFINITY));
}

/** A run in which something was ready and nothing ran when the fault ended, and nothing happened in time. */
function findStandstill(fault: FaultEntry, run: RunFacts, { bounds }: CheckContext): Violation[] {
  const boundMs = recoveryBoundMs(fault, bounds);
  const before = run.events.filter(({ at }) => at <= fault.endAt);
  if (!isWaitingForUs(before, run)) return [];
  const next = run.events[before.length];
  const waitedMs = (next?.at ?? Number.POSITIVE_INFINITY) - fault.endAt;
  if (waitedMs <= boundMs) return [];
  const message = `the run stood still for ${waitedMs} ms after ${fault.kind} ${fault.faultId}; ${boundMs} are allowed`;
  return [violationOf(run, message, [fault, before.at(-1), next])];
}

/** True when no attempt runs and no timer has to end first: whatever comes next is up to the schedulers and workers. */
function isWaitingForUs(events: readonly HistoryEvent[], { ruleOf, terminal }: RunFacts): boolean {
  const running = new Set<string>();
  const ready = new Set<string>();
  let isHeld = false;
  for (const { type, stepId, data } of events) {
    if (type === 'run-paused') isHeld = true;
    if (type === 'run-resumed') isHeld = false;
    if (type === 'cancel-requested' || terminal.some((end) => end.type === type)) return false;
    if (type === 'step-ready') {
      const members = Array.isArray(data?.['steps']) ? (data['steps'] as string[]) : [];
      for (const member of stepId === undefined ? members : [stepId]) ready.add(member);
    }
    if (stepId === undefined) continue;
    if (type === 'attempt-started') {
      running.add(stepId);
      ready.delete(stepId);
    } else if (ATTEMPT_ENDS.has(type)) {
      running.delete(stepId);
      if (type === 'attempt-lost') ready.add(stepId);
    } else if (SETTLED.has(type) || type === 'step-parked') ready.delete(stepId);
  }
  const kinds = Array.from(ready, (stepId) => ruleOf(stepId)?.kind);
  return !isHeld && running.size === 0 && kinds.some((kind) => kind === 'task' || kind === 'agent' || kind === 'http');
}

function violationOf({ runId }: RunFacts, message: string, evidence: readonly (object | undefined)[]): Violation {
  return { invariant: 'V16', runId, message, evidence: evidence.filter((item) => item !== undefined) };
}
