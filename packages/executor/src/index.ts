export { type AbortCause, AttemptControl } from './attempt-control.ts';
export type { BreakerGate } from './behind-breaker.ts';
export type { Abilities } from './chain.ts';
export { Executor, type ExecutorOptions } from './executor.ts';
export type { AloneEnd, AttemptToMake, MakeAlone } from './make-alone.ts';
export { ABORT_GRACE_MS } from './run-handler.ts';
export type { Slots } from './slots.ts';
export { StepDurations } from './step-durations.ts';
