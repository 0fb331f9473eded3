import { flushCompileCache } from 'node:module';
import { isFlotillaError, warnOfUnknownVariables } from '@flotilla/contracts';
import { createLogger, onStopSignal, outliveReaders, type Telemetry } from '@flotilla/telemetry';
import { readSchedulerConfig } from './config.ts';
import { startScheduler } from './scheduler.ts';

/** 2: the configuration is wrong. 3: Redis cannot be reached or used. 74: data loss. 1: anything else. */
const EXIT = { failed: 1, badConfig: 2, unreachable: 3, dataLoss: 74 } as const;

/** For what has been measured and not sent. */
const TELEMETRY_MS = 2000;
/** Longest stop; whatever hangs then is left alone: every duty survives it. */
const STOP_LIMIT_MS = 15_000;

function exitCodeOf(error: unknown): number {
  if (!isFlotillaError(error)) return EXIT.failed;
  if (error.code === 'CONFIG_INVALID' || error.code === 'PORT_IN_USE' || error.code === 'REDIS_URL_INVALID')
    return EXIT.badConfig;
  if (error.code.startsWith('REDIS_') || error.code === 'PARTITION_MISMATCH') return EXIT.unreachable;
  return error.code === 'DATA_LOSS' ? EXIT.dataLoss : EXIT.failed;
}

async function main(telemetry: Telemetry): Promise<void> {
  outliveReaders();
  const config = readSchedulerConfig(process.env);
  const logger = createLogger({ name: 'scheduler', level: config.logLevel });
  for (const warning of warnOfUnknownVariables(process.env)) logger.warn(warning);
  const onDataLoss = (message: string) => {
    process.stderr.write(`${message}\n`);
    process.exit(EXIT.dataLoss);
  };
  const starting = startScheduler(config, logger, { onDataLoss, telemetry });
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('stop timed out');
      process.exit(EXIT.failed);
    }, STOP_LIMIT_MS).unref();
    starting
      .then((scheduler) => scheduler.stop())
      .then(() => telemetry.shutdown(TELEMETRY_MS))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ error }, 'stop failed');
          process.exit(EXIT.failed);
        },
      );
  };
  // Before the scheduler is ready: who reads that it is may tell it to end in the same moment.
  onStopSignal(stop);
  await starting;
  // Where Node keeps compiled code it does so when a process exits; one that will be killed leaves nothing to the next.
  flushCompileCache();
}

/** Runs until the process ends. */
export function runScheduler(telemetry: Telemetry): void {
  main(telemetry).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`scheduler: ${message}\n`);
    process.exit(exitCodeOf(error));
  });
}
