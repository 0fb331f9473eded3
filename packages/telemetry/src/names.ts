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
