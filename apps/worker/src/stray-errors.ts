import { currentScope, StrayError, type StrayKind } from '@flotilla/executor';
import { createRateLimitedLog, type Logger } from '@flotilla/telemetry';

export interface StrayErrorOptions {
  logger: Logger;
  /**
   * The process can no longer be trusted: an exception has left some code in the middle of what it did, or an error is nobody's.
   * Called with the first of them; the process is to let its attempts end, and then to end itself.
   */
  onUntrusted: (error: unknown) => void;
}

/** Of one handler. */
const MAX_LINES_PER_SECOND = 20;

/**
 * Contains errors that escape handlers. Node knows whose callback or promise it was: that attempt fails if it is under way, and
 * a line of the log names run, step and handler either way. After a rejection the process goes on: nothing was cut short.
 */
export function containStrayErrors({ logger, onUntrusted }: StrayErrorOptions): void {
  const log = createRateLimitedLog({
    logger,
    linesPerSecond: MAX_LINES_PER_SECOND,
    linesPerSecondOverall: 2 * MAX_LINES_PER_SECOND,
  });
  let isTrusted = true;
  const contain = (kind: StrayKind, thrown: unknown) => {
    const scope = currentScope();
    const failed = scope?.fail(new StrayError(kind, thrown)) ?? false;
    const end = kind === 'rejection' && scope !== undefined ? '' : '; this process drains and ends';
    const message = scope === undefined ? 'an error that belongs to no step' : 'an error escaped its handler';
    const error = thrown instanceof Error ? thrown : new Error(`something that is no error: ${String(thrown)}`);
    log.write(scope?.owner.use ?? '', 'error', { error, kind, ...scope?.owner, failed }, `${message}${end}`);
    if (end === '' || !isTrusted) return;
    isTrusted = false;
    onUntrusted(thrown);
  };
  process.on('unhandledRejection', (reason) => contain('rejection', reason));
  process.on('uncaughtException', (error) => contain('exception', error));
}
