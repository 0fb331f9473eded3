import { isFlotillaError } from '@flotilla/contracts';
import { createLogger } from '@flotilla/telemetry';
import { readSchedulerConfig } from './config.ts';
import { startScheduler } from './scheduler.ts';

/** 2: the configuration is wrong. 3: Redis cannot be reached or used. 74: data loss. 1: anything else. */
const EXIT = { failed: 1, badConfig: 2, unreachable: 3, dataLoss: 74 } as const;

function exitCodeOf(error: unknown): number {
  if (!isFlotillaError(error)) return EXIT.failed;
  if (error.code === 'CONFIG_INVALID' || error.code === 'PORT_IN_USE' || error.code === 'REDIS_URL_INVALID')
    return EXIT.badConfig;
  if (error.code.startsWith('REDIS_') || error.code === 'PARTITION_MISMATCH') return EXIT.unreachable;
  return error.code === 'DATA_LOSS' ? EXIT.dataLoss : EXIT.failed;
}

async function main(): Promise<void> {
  const config = readSchedulerConfig(process.env);
  const logger = createLogger({ name: 'scheduler', level: config.logLevel });
  const scheduler = await startScheduler(config, logger, (message) => {
    process.stderr.write(`${message}\n`);
    process.exit(EXIT.dataLoss);
  });
  const stop = (signal: string) => {
    logger.info({ signal }, 'stopping');
    scheduler.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error }, 'stopping failed');
        process.exit(EXIT.failed);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`scheduler: ${message}\n`);
  process.exit(exitCodeOf(error));
});
