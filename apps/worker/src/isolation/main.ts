import { createLogger, startTracing } from '@flotilla/telemetry';

// OpenTelemetry's SDK must be there before ioredis is imported.
const tracing = await startTracing({
  service: 'flotilla-worker',
  environment: process.env,
  logger: createLogger({ name: 'worker', level: 'warn' }),
});
const { serveAttempts } = await import('./serve-attempts.ts');
serveAttempts(tracing);
