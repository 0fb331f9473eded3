import { flushCompileCache } from 'node:module';
import { isFlotillaError, warnOfUnknownVariables } from '@flotilla/contracts';
import { createLogger, observeProcess, onStopSignal, startMeters } from '@flotilla/telemetry';
import { readDashboardConfig } from './config.ts';
import { startDashboard } from './dashboard.ts';

/** 2: the configuration is wrong or the port is in use. 1: anything else. */
const EXIT = { failed: 1, badConfig: 2 } as const;
const STOP_LIMIT_MS = 10_000;
const BAD_CONFIG: ReadonlySet<string> = new Set(['CONFIG_INVALID', 'PORT_IN_USE', 'REDIS_URL_INVALID']);

async function main(): Promise<void> {
  const config = readDashboardConfig(process.env);
  const logger = createLogger({ name: 'dashboard', level: config.logLevel });
  for (const warning of warnOfUnknownVariables(process.env)) logger.warn(warning);
  const meters = await startMeters({ service: 'flotilla-dashboard', environment: process.env, logger });
  observeProcess(meters);
  const starting = startDashboard(config, logger, meters);
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => process.exit(EXIT.failed), STOP_LIMIT_MS).unref();
    starting
      .then((dashboard) => dashboard.stop())
      .then(() => meters.shutdown())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ error }, 'stop failed');
          process.exit(EXIT.failed);
        },
      );
  };
  onStopSignal(stop);
  await starting;
  // Node keeps compiled code when a process exits; one that will be killed leaves nothing to the next.
  flushCompileCache();
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`dashboard: ${message}\n`);
  process.exit(isFlotillaError(error) && BAD_CONFIG.has(error.code) ? EXIT.badConfig : EXIT.failed);
});
