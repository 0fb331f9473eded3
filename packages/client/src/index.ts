export { FlotillaError, isFlotillaError } from '@flotilla/contracts';
export type { ChannelCalls, ReadMessagesOptions, SendOptions } from './channel-calls.ts';
export type { CallOptions, ClientOptions, RetryOptions } from './client-options.ts';
export {
  type CancelOptions,
  createClient,
  type FlotillaClient,
  type HistoryOptions,
  type ListOptions,
  type PageOptions,
  type RegisteredWorkflow,
  type RetryRunOptions,
  type WhyOptions,
} from './create-client.ts';
export type { DeadLetterCalls, DeadLetterOptions, ListDeadLettersOptions, RedriveOptions } from './dead-letters.ts';
export type { ErrorGroupCalls, ListErrorsOptions } from './error-groups.ts';
export type { FollowOptions } from './follow-events.ts';
export type { InsightCalls, StepLogOptions } from './insight-calls.ts';
export { newRunId } from './new-run-id.ts';
export type { StartEntry, StartOptions, WorkflowReference } from './start-runs.ts';
export type { DecideOptions, ListApprovalsOptions, SignalOptions, WaitCalls } from './wait-calls.ts';
export type { WaitOptions } from './wait-for-run.ts';
