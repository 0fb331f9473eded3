import { createLogger, startTracing } from '@flotilla/telemetry';

// OpenTelemetry's SDK must be there before ioredis is imported.
const tracing = await startTracing({
  service: 'flotilla-scheduler',
  environment: process.env,
  logger: createLogger({ name: 'scheduler', level: 'info' }),
});
const { runScheduler } = await import('./run-scheduler.ts');
runScheduler(tracing);
