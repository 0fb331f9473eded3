export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './create-logger.ts';
export { type Meters, NO_METERS, observeValue, type Reading } from './metrics/meters.ts';
export { APPS, type App, type MetricDefinition, type MetricName } from './metrics/metric-table.ts';
export { observeProcess } from './metrics/process-readings.ts';
export { renderMetricsReference } from './metrics/render-reference.ts';
export { startMeters } from './metrics/start-meters.ts';
export { LOG_EVENTS, type LogEvent, METRICS, SPAN_ATTRIBUTES, SPANS } from './names.ts';
export { onStopSignal } from './on-stop-signal.ts';
export { outliveReaders } from './outlive-readers.ts';
export { prettyLine } from './pretty-lines.ts';
export { createRateLimitedLog, type RateLimitedLog, type RateLimitedLogOptions } from './rate-limited-log.ts';
export { describeError, redactFields } from './redact.ts';
export { redactText } from './redact-text.ts';
export { startTelemetry, type Telemetry } from './start-telemetry.ts';
export { DEFAULT_TELEMETRY_LEVEL, TELEMETRY_LEVELS } from './telemetry-environment.ts';
export { startTracing } from './tracing/start-tracing.ts';
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
