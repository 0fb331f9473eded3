export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './create-logger.ts';
export { LOG_EVENTS, type LogEvent, SPAN_ATTRIBUTES, SPANS } from './names.ts';
export { onStopSignal } from './on-stop-signal.ts';
export { outliveReaders } from './outlive-readers.ts';
export { prettyLine } from './pretty-lines.ts';
export { createRateLimitedLog, type RateLimitedLog, type RateLimitedLogOptions } from './rate-limited-log.ts';
export { describeError, redactFields } from './redact.ts';
export { redactText } from './redact-text.ts';
export { DEFAULT_TELEMETRY_LEVEL, startTracing, TELEMETRY_LEVELS } from './tracing/start-tracing.ts';
export {
  attemptSpanIdOf,
  formatTraceparent,
  parseTraceparent,
  runSpanIdOf,
  type TraceParent,
  traceIdOf,
  traceparentUnder,
} from './tracing/trace-context.ts';
export type { AttemptSpan, TracedAttempt, TracedEnd, TracedRun, TracedRunEnd, Tracing } from './tracing/tracing.ts';
