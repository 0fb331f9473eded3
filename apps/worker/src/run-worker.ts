import { flushCompileCache } from 'node:module';
import { isFlotillaError, warnOfUnknownVariables } from '@flotilla/contracts';
import { createLogger, onStopSignal, outliveReaders, type Telemetry } from '@flotilla/telemetry';
import { readWorkerConfig } from './config.ts';
import { followParent } from './follow-parent.ts';
import { containStrayErrors } from './stray-errors.ts';
import { startWorker } from './worker.ts';

/** As docs/reference/configuration.md says them to users. */
const EXIT = { drained: 0, failed: 1, badConfig: 2, unreachable: 3, untrusted: 70, dataLoss: 74, stuck: 75 } as const;
/** How long attempts may go on in a worker that another one, with changed handlers, has replaced. */
const LEAVE_MS = 86_400_000;
/** For what has been measured and not sent. */
const TELEMETRY_MS = 2000;
/** Beyond the drain time: for a handler that ignores its abort, and connections that hang. */
const DRAIN_SLACK_MS = 8000;

function exitCodeOf(error: unknown): number {
  if (!isFlotillaError(error)) return EXIT.failed;
  if (error.code === 'CONFIG_INVALID' || error.code === 'REDIS_URL_INVALID') return EXIT.badConfig;
  return error.code.startsWith('REDIS_') || error.code === 'PARTITION_MISMATCH' ? EXIT.unreachable : EXIT.failed;
}

async function main(telemetry: Telemetry): Promise<void> {
  outliveReaders();
  const config = readWorkerConfig(process.env);
  const logger = createLogger({ name: 'worker', level: config.logLevel });
  for (const warning of warnOfUnknownVariables(process.env)) logger.warn(warning);
  const onStuck = (queue: string) => {
    process.stderr.write(
      `worker: tasks wait in ${queue} but none can be fetched; this process ends to be started afresh\n`,
    );
    process.exit(EXIT.stuck);
  };
  const onDataLoss = (message: string) => {
    process.stderr.write(`worker: DATA_LOSS: ${message}\n`);
    process.exit(EXIT.dataLoss);
  };
  const starting = startWorker(config, logger, { onStuck, onDataLoss, telemetry });
  const drain = (exitCode: number, graceMs = config.drainMs) => {
    setTimeout(() => {
      logger.error('drain timed out; remaining attempts are reclaimed when the lease expires');
      process.exit(EXIT.failed);
    }, graceMs + DRAIN_SLACK_MS).unref();
    starting
      .then((worker) => worker.drain(graceMs))
      .then(() => telemetry.shutdown(TELEMETRY_MS))
      .then(
        () => process.exit(exitCode),
        (error: unknown) => {
          logger.error({ error }, 'drain failed');
          process.exit(EXIT.failed);
        },
      );
  };
  containStrayErrors({ logger, onUntrusted: () => drain(EXIT.untrusted) });
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'draining');
    drain(EXIT.drained);
  };
  // Before the worker is ready: who reads that it is may tell it to end in the same moment.
  onStopSignal(stop);
  const parent = followParent(() => drain(EXIT.drained, LEAVE_MS));
  await starting;
  parent.ready();
  // Where Node keeps compiled code it does so when a process exits; one that will be killed leaves nothing to the next.
  flushCompileCache();
}

/** Runs until the process ends. */
export function runWorker(telemetry: Telemetry): void {
  main(telemetry).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`worker: ${message}\n`);
    process.exit(exitCodeOf(error));
  });
}
