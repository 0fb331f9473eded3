import { createLogger, startTelemetry } from '@flotilla/telemetry';

// OpenTelemetry's SDK must be there before ioredis is imported.
const telemetry = await startTelemetry({
  service: 'flotilla-worker',
  environment: process.env,
  logger: createLogger({ name: 'worker', level: 'info' }),
});
const { runWorker } = await import('./run-worker.ts');
runWorker(telemetry);
