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
    ...failureOfItems(step, last),
    stepId: step.id,
  };
}

function failureOfItems({ map }: PlanStep, last: string): Pick<StepError, 'code' | 'message'> {
  const [code, what] = FAILURES[map?.turns === undefined ? (map?.mode ?? 'map') : 'turns'];
  return { code, message: `${what}; ${last}`.slice(0, MOST_MESSAGE) };
}

const FAILURES = {
  map: ['MAP_ITEMS_FAILED', 'more items failed than the map tolerates'],
  broadcast: ['QUORUM_UNREACHABLE', 'too few can still succeed'],
  loop: ['MAP_ITEMS_FAILED', 'an iteration of the loop failed'],
  turns: ['MAP_ITEMS_FAILED', 'a turn failed'],
} as const;

const MOST_MESSAGE = 1000;
