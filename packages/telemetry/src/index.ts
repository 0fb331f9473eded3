export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './create-logger.ts';
export { LOG_EVENTS, type LogEvent } from './names.ts';
export { outliveReaders } from './outlive-readers.ts';
export { prettyLine } from './pretty-lines.ts';
export { createRateLimitedLog, type RateLimitedLog, type RateLimitedLogOptions } from './rate-limited-log.ts';
export { describeError, redactFields } from './redact.ts';
export { redactText } from './redact-text.ts';
