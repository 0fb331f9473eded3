import { DEFAULT_CLEANUP_TOTAL_MS } from '@flotilla/contracts';
import type { CleanupWork, PlanStep } from './plan.ts';

/**
 * What a cleanup of a step takes: its compensation, or a handler that one of its attempts has registered. A registered one
 * goes to the step's queue, with the step's policy, breaker and time limit of an attempt. Undefined when the step has none such.
 */
export function cleanupWorkOf(step: PlanStep | undefined, registeredUse: string | undefined): CleanupWork | undefined {
  const work = step?.work;
  if (work === undefined) return undefined;
  if (registeredUse === undefined) return work.compensation;
  const { queue, retry, timeouts, breaker } = work;
  return {
    use: registeredUse,
    queue,
    retry,
    breaker,
    timeouts: { attemptMs: timeouts.attemptMs, totalMs: DEFAULT_CLEANUP_TOTAL_MS },
  };
}
