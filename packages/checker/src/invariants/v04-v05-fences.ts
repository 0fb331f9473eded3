import type { HistoryEvent } from '@flotilla/contracts';
import { ATTEMPT_ENDS, lastBefore, type StepFacts } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';

/** What is written under an attempt's fence. */
const isSigned = ({ type }: HistoryEvent): boolean => ATTEMPT_ENDS.has(type) || type === 'checkpoint-saved';

const isSameAttempt = (one: HistoryEvent, other: HistoryEvent): boolean =>
  one.fence === other.fence && one.attemptId === other.attemptId;

export const v04 = perRun(
  'V4',
  'What an attempt commits, ends or saves was started before under the same fence and attempt id.',
  ({ steps }) =>
    [...steps.values()].flatMap((step) =>
      step.events
        .filter((event) => isSigned(event) && !hasStarted(step, event))
        .map((event) => {
          const message = `${event.type} of ${step.stepId} at ${event.seq} without a start`;
          return { message, evidence: [...step.starts, event] };
        }),
    ),
);

export const v05 = perRun(
  'V5',
  "A step's fences grow with each start; whatever ends or saves an attempt carries those of the last one started.",
  ({ steps }) => [...steps.values()].flatMap((step) => [...findSmallFences(step), ...findSuperseded(step)]),
);

function hasStarted({ starts }: StepFacts, event: HistoryEvent): boolean {
  return starts.some((start) => start.seq < event.seq && isSameAttempt(start, event));
}

function findSmallFences({ stepId, starts }: StepFacts): Found[] {
  return starts.flatMap((start, index) => {
    const before = starts[index - 1];
    if (before === undefined || (start.fence ?? 0) > (before.fence ?? 0)) return [];
    return [{ message: `the fence of ${stepId} does not grow at ${start.seq}`, evidence: [before, start] }];
  });
}

function findSuperseded(step: StepFacts): Found[] {
  return step.events.flatMap((event) => {
    if (!isSigned(event) || !hasStarted(step, event)) return [];
    const last = lastBefore(step.starts, event, () => true)!;
    if (isSameAttempt(last, event)) return [];
    const what = `${event.type} of ${step.stepId} at ${event.seq}`;
    return [{ message: `${what} carries a fence or attempt id that is not the current one`, evidence: [last, event] }];
  });
}
