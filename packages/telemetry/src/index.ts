export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './create-logger.ts';
export { LOG_EVENTS, type LogEvent } from './names.ts';
export { createRateLimitedLog, type RateLimitedLog, type RateLimitedLogOptions } from './rate-limited-log.ts';
export { describeError } from './redact.ts';
export { redactText } from './redact-text.ts';
