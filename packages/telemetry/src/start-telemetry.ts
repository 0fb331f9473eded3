import type { Logger } from './create-logger.ts';
import type { Meters } from './metrics/meters.ts';
import { observeProcess } from './metrics/process-readings.ts';
import { startMeters } from './metrics/start-meters.ts';
import { startTracing } from './tracing/start-tracing.ts';
import type { Tracing } from './tracing/tracing.ts';

/** What shows a process to the outside, besides its log. */
export interface Telemetry {
  /** Undefined when spans go nowhere. */
  tracing: Tracing | undefined;
  meters: Meters;
  /** Sends what has not been sent, within the time. Never rejects. */
  shutdown: (limitMs: number) => Promise<void>;
}

/** Must be called before ioredis is imported: at the level `full` its commands are spans, too. */
export async function startTelemetry(options: {
  /** `service.name`, where OTEL_SERVICE_NAME says no other. */
  service: string;
  environment: NodeJS.ProcessEnv;
  logger: Logger;
}): Promise<Telemetry> {
  const tracing = await startTracing(options);
  const meters = await startMeters(options);
  observeProcess(meters);
  return {
    tracing,
    meters,
    shutdown: async (limitMs) => {
      const ending = Promise.allSettled([tracing?.shutdown(limitMs), meters.shutdown()]);
      await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, limitMs).unref())]);
    },
  };
}
