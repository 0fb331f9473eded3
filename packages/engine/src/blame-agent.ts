import type { ErrorType } from '@flotilla/contracts';
import { isProgrammerError } from './classify-error.ts';

/** What is asked about a failed attempt. */
export interface BlameQuestion {
  type: ErrorType;
  code: string;
  /** What was thrown, where something was. */
  error?: unknown;
  /** The wait that the error asks for. */
  retryAfterMs?: number | undefined;
  /** The step calls a dependency that has a breaker. */
  hasBreaker: boolean;
}

/** Permanent errors that tell of an installation, not of a step. */
const BROKEN_INSTALLATION: ReadonlySet<string> = new Set([
  'MODULE_NOT_FOUND',
  'ERR_MODULE_NOT_FOUND',
  'ERR_DLOPEN_FAILED',
  'EROFS',
]);

/**
 * Whether a failed attempt speaks of the agent that made it, so that another agent might have done better:
 *
 * | Failure | Counts | Because |
 * |---|---|---|
 * | `retryable`, `timeout`, `resource_exhausted`, `crash` | yes | nothing says that it was the step's doing |
 * | programmer's errors, missing modules | yes | a worker with a bad build fails quickly and so draws work to itself |
 * | other `non_retryable` | no | the handler or the schema refused this input; every agent would |
 * | `rate_limited`, and whatever asks to wait (`retryAfterMs`), as a step that polls does | no | it was asked for |
 * | `cancelled`, attempts handed back or superseded | no | nobody failed |
 * | answers with an HTTP status, steps with a breaker | no | the dependency failed; that is its breaker's business |
 */
export function countsAgainstAgent({ type, code, error, hasBreaker, retryAfterMs }: BlameQuestion): boolean {
  if (type === 'cancelled' || type === 'rate_limited' || retryAfterMs !== undefined) return false;
  if (type === 'non_retryable') return isProgrammerError(error) || BROKEN_INSTALLATION.has(code);
  return !hasBreaker && !code.startsWith('HTTP_');
}
