import type { StepError } from '@flotilla/contracts';
import type { PlanStep } from './plan.ts';

/**
 * What a run, and of an item its map, has failed with when a step has failed for good, however it came to that: an item by
 * itself ends nothing, its map does when it tolerates no more.
 */
export function runErrorOf(step: PlanStep, item: number | undefined, error: StepError): StepError & { stepId: string } {
  const { type, code, message } = error;
  if (item === undefined) return { type, code, message, stepId: step.id };
  const last = `the last was ${step.id}[${item}]: ${code}: ${message}`;
  return {
    type: 'non_retryable',
    code: 'MAP_ITEMS_FAILED',
    message: `more items failed than the map tolerates; ${last}`.slice(0, MOST_MESSAGE),
    stepId: step.id,
  };
}

const MOST_MESSAGE = 1000;
