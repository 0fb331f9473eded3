import type { Executor, IsolatedAssignment } from '@flotilla/executor';
import { createLogger, outliveReaders, type Tracing } from '@flotilla/telemetry';
import { readWorkerConfig } from '../config.ts';
import { ProgressReporter } from '../progress-reporter.ts';
import { containStrayErrors } from '../stray-errors.ts';
import { BLOCKED_SIGNAL } from '../watchdog.ts';
import { createWorkerParts } from '../worker-parts.ts';
import type { FromProcess, ToProcess } from './messages.ts';

const ABORT_MS = 100;
/** For the span of the attempt that has just ended. */
const TRACES_MS = 1000;
/** As the worker's. */
const EXIT_UNTRUSTED = 70;

/**
 * A process that makes attempts, one at a time, for a worker that holds their claims and its lease. It takes no tasks and is no agent.
 * When the worker is gone it ends at once: the attempt will be lost with the worker's lease.
 */
async function main(tracing: Tracing | undefined): Promise<void> {
  outliveReaders();
  const config = readWorkerConfig(process.env);
  const logger = createLogger({ name: 'worker', level: config.logLevel });
  process.once('disconnect', () => process.exit(0));
  // The worker drains, and tells what is to become of the attempt.
  process.on('SIGTERM', () => undefined);
  process.on('SIGINT', () => undefined);
  const tell = (message: FromProcess) =>
    new Promise<void>((resolve) => {
      process.send!(message, undefined, undefined, () => resolve());
    });
  let isMaking = false;
  let isTrusted = true;
  containStrayErrors({
    logger,
    onUntrusted: () => {
      isTrusted = false;
      // Its attempt has failed by it, or ends in its own time.
      if (!isMaking) process.exit(EXIT_UNTRUSTED);
    },
  });
  const parts = await createWorkerParts(config, logger, `alone-${process.pid}`, { tracing });
  parts.watchdog.start(BLOCKED_SIGNAL);
  let executor: Executor | undefined;
  let aborting: NodeJS.Timeout | undefined;
  process.on('message', (message: ToProcess) => {
    if (message.what === 'make') {
      const { workerId } = message;
      executor = parts.createExecutor({ workerId, slots: 1 });
      const progress = new ProgressReporter({ executor, state: parts.state, workerId, logger });
      progress.start();
      void make(executor, message.attempt).finally(() => progress.stop());
    } else {
      const { cause } = message;
      // More than once: the attempt may not have begun.
      aborting ??= setInterval(() => executor?.live.abortAll(cause), ABORT_MS);
    }
  });
  const make = async (by: Executor, attempt: IsolatedAssignment) => {
    isMaking = true;
    await tell('began');
    let end: FromProcess = 'ended';
    try {
      await by.makeClaimed(attempt);
    } catch (error) {
      logger.error({ error }, 'an isolated process could not run its attempt');
      end = 'refused';
    }
    clearInterval(aborting);
    aborting = undefined;
    // The process may be ended at once.
    await tracing?.flush(TRACES_MS);
    await tell(end);
    isMaking = false;
    if (!isTrusted) process.exit(EXIT_UNTRUSTED);
  };
  await tell('ready');
}

/** Runs until the process ends. */
export function serveAttempts(tracing: Tracing | undefined): void {
  main(tracing).catch((error: unknown) => {
    process.stderr.write(`worker: a process for one step cannot start: ${String(error)}\n`);
    process.exit(1);
  });
}
