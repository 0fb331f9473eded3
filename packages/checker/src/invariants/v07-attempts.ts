import type { HistoryEvent } from '@flotilla/contracts';
import type { FaultEntry } from '../recording.ts';
import { ATTEMPT_ENDS, CHARGED, type RunFacts, type StepFacts } from '../run-facts.ts';
import { type CheckContext, type Found, perRun } from '../violation.ts';
import { recoveryBoundMs } from './excuses.ts';

export const v07 = perRun(
  'V7',
  'Every attempt ends exactly once, no step fails more often than its policy allows, and only a fault takes an attempt away.',
  (run, context) =>
    [...run.steps.values()].flatMap((step) => [
      ...findOpen(step, context),
      ...findOvercharged(step, run),
      ...findMiscounted(step, context),
      ...findUnexplainedLosses(step, context),
    ]),
);

/** Pairs starts and ends by their order; who signed an end is V4's and V5's matter, a second success V3's. */
function findOpen({ stepId, events }: StepFacts, { atRest }: CheckContext): Found[] {
  const found: Found[] = [];
  let start: HistoryEvent | undefined;
  let end: HistoryEvent | undefined;
  for (const event of events) {
    const { type, seq } = event;
    if (type === 'attempt-started') {
      if (start !== undefined && end === undefined) {
        const message = `${stepId} starts at ${seq} while its last attempt has not ended`;
        found.push({ message, evidence: [start, event] });
      }
      start = event;
      end = undefined;
    } else if (start !== undefined && (ATTEMPT_ENDS.has(type) || type === 'checkpoint-saved')) {
      const isSecondSuccess = type === 'attempt-succeeded' && end?.type === type;
      if (end !== undefined && !isSecondSuccess) {
        found.push({ message: `${type} of ${stepId} at ${seq}: the attempt had ended`, evidence: [end, event] });
      }
      if (type !== 'checkpoint-saved') end = event;
    }
  }
  if (atRest && start !== undefined && end === undefined) {
    found.push({ message: `the last attempt of ${stepId} never ended`, evidence: [start] });
  }
  return found;
}

function findOvercharged({ stepId, lives }: StepFacts, { ruleOf }: RunFacts): Found[] {
  const most = ruleOf(stepId)?.maxAttempts ?? Number.POSITIVE_INFINITY;
  return lives.flatMap(({ ends }) => {
    // Rate limits have a budget of their own, of time.
    const charged = ends.filter(({ type, data }) => CHARGED.has(type) && data?.['type'] !== 'rate_limited');
    if (charged.length <= most) return [];
    return [{ message: `${stepId} failed ${charged.length} times, ${most} are allowed`, evidence: charged }];
  });
}

/** What the step says of itself, beside its history. */
function findMiscounted({ stepId, view, lives }: StepFacts, { atRest }: CheckContext): Found[] {
  const { ends = [], starts = [] } = lives.at(-1) ?? {};
  if (!atRest || view === undefined || starts.length === 0) return [];
  const count = (matches: (event: HistoryEvent) => boolean) => ends.filter(matches).length;
  const charged =
    count(({ type }) => CHARGED.has(type)) +
    Math.min(
      1,
      count(({ type }) => type === 'attempt-succeeded'),
    );
  const lost = count(({ type }) => type === 'attempt-lost');
  const found: Found[] = [];
  if (view.attempts !== charged) {
    found.push({
      message: `${stepId} tells of ${view.attempts} attempts, its history of ${charged}`,
      evidence: [view, ...ends],
    });
  }
  // The loss that quarantines a step is not counted as one that it lives through.
  if (view.status !== 'quarantined' && (view.lost ?? 0) !== lost) {
    found.push({
      message: `${stepId} tells of ${view.lost ?? 0} lost attempts, its history of ${lost}`,
      evidence: [view, ...ends],
    });
  }
  return found;
}

/**
 * Attempts that were taken from workers which lived all the time; only where the processes are known. A fault explains
 * what is lost while it goes on and in the time that those whom it hit have to recover, and nothing after that.
 */
function findUnexplainedLosses({ stepId, ends }: StepFacts, { recording, bounds }: CheckContext): Found[] {
  const { faults, processes } = recording;
  if (processes.length === 0) return [];
  const explains = (fault: FaultEntry, worker: string, at: number): boolean =>
    fault.targets.includes(worker) && fault.startAt <= at && at <= fault.endAt + recoveryBoundMs(fault, bounds);
  const isExplained = ({ worker = '', at }: HistoryEvent): boolean =>
    faults.some((fault) => explains(fault, worker, at)) ||
    processes.some(({ id, exit }) => id === worker && exit !== undefined && (exit.at ?? 0) <= at);
  return ends
    .filter((event) => event.type === 'attempt-lost' && event.worker !== undefined && !isExplained(event))
    .map((event) => ({ message: `${stepId} was taken from ${event.worker}, which is alive`, evidence: [event] }));
}
