/** The states that runs, steps and attempts are in, as users see them. engine/transitions says how they follow. */
export const RUN_STATUSES = [
  'pending',
  'running',
  'paused',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
  'timed-out',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export const TERMINAL_RUN_STATUSES = ['succeeded', 'failed', 'cancelled', 'timed-out'] as const;
export type TerminalRunStatus = (typeof TERMINAL_RUN_STATUSES)[number];

export function isTerminalRunStatus(status: RunStatus): status is TerminalRunStatus {
  return (TERMINAL_RUN_STATUSES as readonly string[]).includes(status);
}

export const STEP_STATUSES = [
  'waiting',
  'ready',
  'running',
  'backing-off',
  'parked',
  'succeeded',
  'failed',
  'skipped',
  'cancelled',
  'quarantined',
] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

export const SETTLED_STEP_STATUSES = ['succeeded', 'failed', 'skipped', 'cancelled', 'quarantined'] as const;
export type SettledStepStatus = (typeof SETTLED_STEP_STATUSES)[number];

export function isSettledStepStatus(status: StepStatus): status is SettledStepStatus {
  return (SETTLED_STEP_STATUSES as readonly string[]).includes(status);
}

export const ATTEMPT_ENDS = ['succeeded', 'failed', 'timed-out', 'lost', 'cancelled', 'rejected'] as const;
export type AttemptEnd = (typeof ATTEMPT_ENDS)[number];

/** Compensations of steps, and cleanups that attempts have registered: what is made when a run does not succeed. */
export const CLEANUP_STATUSES = [
  'registered',
  'ready',
  'running',
  'backing-off',
  'parked',
  'succeeded',
  'failed',
] as const;
export type CleanupStatus = (typeof CLEANUP_STATUSES)[number];

export const EVENT_TYPES = [
  'run-created',
  'step-ready',
  'attempt-started',
  'attempt-succeeded',
  'attempt-failed',
  'attempt-timed-out',
  'attempt-lost',
  'attempt-rejected',
  'attempt-cancelled',
  'retry-scheduled',
  'step-parked',
  'step-succeeded',
  'step-failed',
  'step-skipped',
  'step-cancelled',
  'step-quarantined',
  'checkpoint-saved',
  'checkpoint-corrupt',
  'cancel-requested',
  'run-paused',
  'run-resumed',
  'run-retried',
  'cleanup-registered',
  /** One that had failed for good is made again: somebody asked for it. */
  'cleanup-requested',
  'cleanup-started',
  'cleanup-retried',
  'cleanup-lost',
  'cleanup-released',
  'cleanup-parked',
  'cleanup-rejected',
  'cleanup-succeeded',
  'cleanup-failed',
  'wait-started',
  'wait-answered',
  'signal-received',
  'signals-unused',
  'entry-set-aside',
  'run-succeeded',
  'run-failed',
  'run-cancelled',
  'run-timed-out',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];
