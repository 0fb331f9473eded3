/**
 * The names under which Flotilla shows itself to the outside: log events, spans, span attributes and metrics. They are
 * public: a dashboard or alert is built on them. Everything that logs, traces or counts takes its name from here.
 */

/** Values of the `event` field of a log line. */
export const LOG_EVENTS = {
  processStarted: 'process.started',
  processStopping: 'process.stopping',
  processStopped: 'process.stopped',
  processFailed: 'process.failed',
  redisConnectionError: 'redis.connection-error',
  redisRetry: 'redis.retry',
  redisUnavailable: 'redis.unavailable',
  redisRecovered: 'redis.recovered',
  redisProblem: 'redis.problem',
  dataLoss: 'redis.data-loss',
  loopFailed: 'scheduler.loop-failed',
  attemptFailed: 'attempt.failed',
  attemptLost: 'attempt.lost',
  /** A compensation or registered cleanup has failed for good: what its step did may still stand. */
  cleanupFailed: 'cleanup.failed',
  commitRejected: 'attempt.commit-rejected',
  eventLoopLag: 'worker.event-loop-lag',
  drainStarted: 'worker.drain-started',
  drainEnded: 'worker.drain-ended',
  linesSuppressed: 'log.lines-suppressed',
} as const;

export type LogEvent = (typeof LOG_EVENTS)[keyof typeof LOG_EVENTS];

/** Names of spans. */
export const SPANS = {
  /** From the creation of a run to its end, once per opening. */
  run: 'flotilla.run',
  /** One attempt of a step. */
  attempt: 'flotilla.attempt',
  /** One attempt of a compensation or registered cleanup. */
  cleanup: 'flotilla.cleanup',
} as const;

/** Attributes of spans. */
export const SPAN_ATTRIBUTES = {
  runId: 'workflow.id',
  workflow: 'workflow.name',
  workflowVersion: 'workflow.version',
  stepId: 'workflow.step.id',
  handler: 'workflow.step.handler',
  agentId: 'agent.id',
  attempt: 'execution.attempt',
  attemptId: 'execution.attempt.id',
  /** As its worker tells it `commit`, `retry`, `fail`, `park` or `release`; of a worker that died as the history does, `lost` among others. */
  outcome: 'execution.outcome',
  runStatus: 'workflow.status',
  opening: 'workflow.opening',
  errorType: 'error.type',
  errorCode: 'error.code',
  backoffMs: 'retry.backoff_ms',
  memoryBytes: 'resource.memory.bytes',
  cpuUtilization: 'resource.cpu.utilization',
} as const;

export { METRICS } from './metrics/metric-table.ts';
