import type { ObservedAttempt, ObservedEnd } from '@flotilla/executor';
import type { Meters } from '@flotilla/telemetry';

/** Told of each attempt that has ended: counts and times it. */
export function measureAttempts(meters: Meters): (attempt: ObservedAttempt, end: ObservedEnd) => void {
  return ({ workflow, use: handler, attempt, startedAt }, { outcome, endedAt }) => {
    meters.record('workflow_step_duration_ms', Math.max(0, endedAt - startedAt), { workflow, handler, outcome });
    if (attempt > 1) meters.add('workflow_retry_attempts', { workflow, handler });
    if (outcome === 'refused') meters.add('flotilla_fenced_commits_total', { handler });
  };
}
