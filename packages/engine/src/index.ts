export { approvalDigest } from './approval-guard.ts';
export * from './backoff.ts';
export { type BlameQuestion, countsAgainstAgent } from './blame-agent.ts';
export * from './breaker-outcome.ts';
export * from './canonical-json.ts';
export * from './choose-branch.ts';
export * from './classify-error.ts';
export * from './cleanup-work.ts';
export * from './compile-workflow.ts';
export * from './concurrency-limit.ts';
export * from './counted-edges.ts';
export {
  type AbortCause,
  type AttemptEnd,
  decideEnd,
  type EndInputs,
  type EndingAttempt,
  type ReleaseReason,
  type SpreadRetry,
} from './decide-end.ts';
export * from './decide-join.ts';
export { decideLoop, type LoopEnd, neededSuccesses, toleratedFailures } from './decide-loop.ts';
export { assertHandoff } from './decide-turn.ts';
export * from './decide-wait-end.ts';
export { compileExpression, evaluateCondition, prepareInPieces } from './evaluate-expression.ts';
export { type FailureOfStep, failureOfStep } from './failure-of-step.ts';
export { isOnForRun } from './is-on-for-run.ts';
export * from './join-counter.ts';
export * from './judge-health.ts';
export * from './judge-losses.ts';
export * from './judge-pressure.ts';
export { isLegacyDocument, type Migration, migrateLegacy } from './migrate-legacy.ts';
export * from './plan.ts';
export { PlanCache } from './plan-cache.ts';
export { planChannel } from './plan-channel.ts';
export { type EndedStep, hasFired, planRetry, type RetryPlan, type RetrySelection } from './plan-retry.ts';
export { PROBLEM_CODES, type ProblemCode } from './problem-codes.ts';
export { resolveDelay } from './resolve-delay.ts';
export * from './resolve-map-items.ts';
export * from './run-error.ts';
export * from './settle-edges.ts';
export * from './spread-retries.ts';
export { stepGroupOf } from './step-group.ts';
export { isLateByItself, SustainedLag } from './sustained-lag.ts';
export { compileTemplate } from './template.ts';
export * from './transitions.ts';
export { hasEach } from './work-of-step.ts';
