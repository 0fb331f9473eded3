export type { ClassifyAnswer, ClassifyRule, ErrorType } from '@flotilla/contracts';
export { type BuiltInOptions, builtInHandlers } from './built-in/index.ts';
export { classifyRulesOf } from './classify-rules-of.ts';
export {
  type AgentHandler,
  type AgentOptions,
  agentUse,
  defineAgent,
  defineStep,
  type Handler,
  isHandler,
  type StepHandler,
  type StepOptions,
} from './define-step.ts';
export { defineWorkflow, type WorkflowEach, type WorkflowOptions, type WorkflowStep } from './define-workflow.ts';
export { handlersOf } from './handlers-of.ts';
export type {
  ReceiveOptions,
  StepChannel,
  StepCheckpoint,
  StepContext,
  StepLogger,
  StepUsage,
  UsedByStep,
} from './step-context.ts';
export { StepFailure, type StepFailureOptions } from './step-failure.ts';
export {
  CancelledError,
  NonRetryableError,
  RateLimitedError,
  ResourceExhaustedError,
  RetryableError,
  TimeoutError,
  type TypedErrorOptions,
} from './typed-errors.ts';
