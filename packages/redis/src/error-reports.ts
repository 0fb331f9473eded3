import { classifyRedisError, type RedisCondition, withoutArguments } from './classify-redis-error.ts';

/** An error of a connection, told at most once per message and interval. */
export interface ConnectionErrorReport {
  message: string;
  condition: RedisCondition | undefined;
  error: Error;
  /** How many of the same message were kept back since it was last told. */
  suppressed: number;
}

const INTERVAL_MS = 10_000;
const KEPT_MESSAGES = 50;

/**
 * Passes errors on to `report`, each message at most once in 10 s: a client that cannot connect raises the same error
 * once a second, and with several connections a log drowns.
 */
export function limitReports(
  report: (report: ConnectionErrorReport) => void,
  nowMs: () => number = () => performance.now(),
): (error: Error) => void {
  const told = new Map<string, { atMs: number; suppressed: number }>();
  return (error) => {
    const message = messageOf(error);
    const entry = told.get(message);
    if (entry !== undefined && nowMs() - entry.atMs < INTERVAL_MS) {
      entry.suppressed += 1;
      return;
    }
    told.delete(message); // to the end: the oldest goes first
    told.set(message, { atMs: nowMs(), suppressed: 0 });
    if (told.size > KEPT_MESSAGES) {
      for (const oldest of told.keys()) {
        told.delete(oldest);
        break;
      }
    }
    report({
      message,
      condition: classifyRedisError(error),
      error: withoutArguments(error),
      suppressed: entry?.suppressed ?? 0,
    });
  };
}

/** An error of several addresses of one host has an empty message of its own. */
function messageOf(error: Error): string {
  if (error.message !== '') return error.message;
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  return first instanceof Error ? first.message : String(code ?? error.name);
}
