import { createLogger, startTelemetry } from '@flotilla/telemetry';

// OpenTelemetry's SDK must be there before ioredis is imported.
const telemetry = await startTelemetry({
  service: 'flotilla-scheduler',
  environment: process.env,
  logger: createLogger({ name: 'scheduler', level: 'info' }),
});
const { runScheduler } = await import('./run-scheduler.ts');
runScheduler(telemetry);
