import type { HistoryEvent } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';

/** A rule of histories that was broken, by the names of the invariants: V2 one end, V3 one commit, V5 fences … */
export interface Breach {
  rule: string;
  seq: number;
  message: string;
}

const TERMINAL = new Set(['run-succeeded', 'run-failed', 'run-cancelled', 'run-timed-out']);
const SETTLED = new Set(['step-succeeded', 'step-failed', 'step-skipped', 'step-quarantined']);
const ATTEMPT_ENDS = new Set([
  'attempt-succeeded',
  'attempt-failed',
  'attempt-timed-out',
  'attempt-lost',
  'attempt-cancelled',
]);

interface StepTrack {
  started: number;
  ended: number;
  fence: number;
  attemptId: string | undefined;
  open: boolean;
  settled: string | undefined;
  succeeded: number;
}

/**
 * Checks the whole history of a run that has ended against the rules that hold for every run. Sees only what the API
 * gives and the plan, so that it can judge any run of any test.
 */
export function checkHistory(events: readonly HistoryEvent[], plan: Plan): Breach[] {
  const breaches: Breach[] = [];
  const steps = new Map<string, StepTrack>();
  let ended: HistoryEvent | undefined;
  const track = (stepId: string): StepTrack => {
    let known = steps.get(stepId);
    if (known === undefined) {
      known = { started: 0, ended: 0, fence: 0, attemptId: undefined, open: false, settled: undefined, succeeded: 0 };
      steps.set(stepId, known);
    }
    return known;
  };
  const breach = (rule: string, { seq }: { seq: number }, message: string) => breaches.push({ rule, seq, message });

  events.forEach((event, index) => {
    const { type, stepId } = event;
    if (event.seq !== index) breach('order', event, `event ${index} has seq ${event.seq}`);
    if (index > 0 && event.at < events[index - 1]!.at) breach('order', event, 'time goes back');
    if (ended !== undefined && type !== 'attempt-rejected' && type !== 'checkpoint-corrupt') {
      breach('V2', event, `${type} after ${ended.type}`);
    }
    if (TERMINAL.has(type)) ended ??= event;
    if (stepId === undefined) return;
    const step = track(stepId);
    if (type === 'attempt-started') {
      if (step.open) breach('V5', event, `an attempt of ${stepId} starts while another is open`);
      if ((event.fence ?? 0) <= step.fence) breach('V5', event, `the fence of ${stepId} does not rise`);
      if (step.settled !== undefined) breach('V3', event, `an attempt of ${stepId} starts after it settled`);
      for (const missing of missingNeeds(plan, stepId, steps)) {
        breach('V6', event, `${stepId} starts before ${missing} has settled`);
      }
      Object.assign(step, { open: true, fence: event.fence, attemptId: event.attemptId, started: step.started + 1 });
    } else if (ATTEMPT_ENDS.has(type)) {
      if (!step.open) breach('V4', event, `an attempt of ${stepId} ends that is not open`);
      if (event.fence !== step.fence || event.attemptId !== step.attemptId) {
        breach('V5', event, `${type} of ${stepId} is not of the last attempt`);
      }
      Object.assign(step, { open: false, ended: step.ended + 1 });
      if (type === 'attempt-succeeded') step.succeeded += 1;
    } else if (type === 'checkpoint-saved') {
      if (!step.open || event.fence !== step.fence) breach('V5', event, `${stepId} saved by an attempt that is over`);
    } else if (SETTLED.has(type)) {
      if (step.settled !== undefined) breach('V3', event, `${stepId} settles twice: ${step.settled}, ${type}`);
      step.settled = type;
    }
  });

  const last = { seq: events.length - 1 };
  const ends = events.filter(({ type }) => TERMINAL.has(type)).length;
  if (ends !== 1) breach('V2', last, `${ends} ends`);
  for (const [stepId, step] of steps) {
    if (step.started !== step.ended)
      breach('V7', last, `${stepId}: ${step.started} attempts started, ${step.ended} ended`);
    if (step.succeeded > 1) breach('V3', last, `${stepId} was committed ${step.succeeded} times`);
  }
  if (ended?.type === 'run-succeeded') {
    for (const { id } of plan.steps) {
      const settled = steps.get(id)?.settled;
      if (settled !== 'step-succeeded' && settled !== 'step-skipped') {
        breach('V3', ended, `the run succeeded, but ${id} is ${settled ?? 'not settled'}`);
      }
    }
  }
  return breaches;
}

/** Needs that must have settled before an attempt of the step, and have not. */
function missingNeeds(plan: Plan, stepId: string, steps: ReadonlyMap<string, StepTrack>): string[] {
  const index = plan.stepIndex.get(stepId.replace(/\[\d+\]$/, ''));
  if (index === undefined) return [`any step (${stepId} is not of this plan)`];
  const { group, needs } = plan.steps[index]!;
  const open = needs.map((need) => plan.steps[need]!.id).filter((id) => steps.get(id)?.settled === undefined);
  const isAny = plan.groups[group]!.join === 'any';
  return isAny && open.length < needs.length ? [] : open;
}
