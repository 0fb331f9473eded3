export { type BulkItemRecord, BulkJobs, type BulkSlice, type BulkSpec, type BulkTarget } from './bulk/bulk-jobs.ts';
export type { ChannelWork, OutgoingMessage } from './channel-work.ts';
export * from './checkpoint.ts';
export * from './checkpoint-seal.ts';
export type { CreatedRun, CreateRun } from './create-runs.ts';
export {
  DUE,
  type DueLetter,
  ENDING,
  FIELD,
  HEADER,
  type HeaderState,
  NO_HEADER,
  OUTBOX,
  PREFIX,
  RUN,
  type RunLetter,
  STATES,
  STEP,
  TIMERS,
  WAIT_ANSWER,
} from './format.ts';
export { hasNoPlan } from './has-no-plan.ts';
export { breakerKeys, dashboardKeys, deploymentKeys, partitionTag, RELAY_GROUP, stateKey } from './keys.ts';
export type { DeadLetterQuery } from './list-dead-letters.ts';
export { loopTurns } from './loop-turns.ts';
export { OneAtATime } from './one-at-a-time.ts';
export { Outbox, type OutboxMessage, type PartitionMessages } from './outbox.ts';
export { type OutboxEntry, parseChannelLine, parseOutboxLine } from './outbox-entry.ts';
export type { ParkedBehind } from './parked-behind.ts';
export * from './plan-shape.ts';
export { parseStoredCleanup, type StoredCleanup } from './read-cleanups.ts';
export type { Loss } from './read-losses.ts';
export type { Source } from './read-sources.ts';
export type { Waits } from './read-waits.ts';
export type { RedrivenRun } from './redrive.ts';
export type { ReportedProgress } from './reported-progress.ts';
export type { RetriedRun, RetryRequest } from './retry-run.ts';
export type { RunHandle, RunOpening, RunSources } from './run-handle.ts';
export * from './run-id.ts';
export { parseRunMeta, type RunMeta } from './run-record.ts';
export { MICROS_PER_USD, parseUsage, type Usage } from './run-usage.ts';
export { SourceReading } from './source-reading.ts';
export * from './state.ts';
export * from './step-header.ts';
export type { KeptLine } from './step-logs.ts';
export type { ProgressRecord, StoredProgress } from './stored-progress.ts';
export { DEFAULT_LEASE_DURATION_MS } from './transition-batch.ts';
export type { AttemptAddress, FiredStep, StepAddress } from './transitions/addresses.ts';
export type { ClaimArguments, ClaimRefusal, ClaimReply } from './transitions/claim.ts';
export type { ClaimedAttempt, StoredStep } from './transitions/claimed-attempt.ts';
export type { ClaimedCleanup, CleanupEnd } from './transitions/clean-up.ts';
export type { CommitArguments, CommitReply, CommittedChannelWork } from './transitions/commit.ts';
export type { DueTimer } from './transitions/dispatch.ts';
export type { CancelReply } from './transitions/end-run.ts';
export type { FailArguments, FailReply } from './transitions/fail.ts';
export type { EdgeArgument, StepGroup } from './transitions/groups-and-edges.ts';
export type { ResetSlice } from './transitions/retry-run.ts';
export type { SettleArguments } from './transitions/settle.ts';
export { type MapSettings, modeText } from './transitions/start-waiting.ts';
export type { TakenTimer, UndecidedAttempt } from './transitions/timers.ts';
export type { AnswerReply, SignalReply, StartWait } from './transitions/waits.ts';
export type { Transitions } from './transitions.ts';
export { TrialMarks } from './trial-marks.ts';
export type { LoopPosition } from './waits/read-loop.ts';
export type { OpenWait } from './waits/read-wait.ts';
