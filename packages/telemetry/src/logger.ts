import { pino } from 'pino';

export type Logger = pino.Logger;

export interface LoggerOptions {
  /** Which app: `scheduler`, `worker`. */
  name: string;
  /** Default `info`. */
  level?: string;
}

/** Names of fields that are never written, wherever they stand on the first levels. */
const SECRET_FIELDS = ['password', 'token', 'apiKey', 'authorization', 'secret', 'input', 'output', 'payload'];

/**
 * A logger that writes JSON lines to stdout. Payloads and secrets are never logged: whoever logs passes ids, and fields of
 * these names are blanked in case one does not. Errors go under `err` or `error`.
 */
export function createLogger({ name, level = 'info' }: LoggerOptions): Logger {
  return pino({
    name,
    level,
    serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
  });
}
