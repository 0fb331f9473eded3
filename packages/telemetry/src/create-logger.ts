import { Writable } from 'node:stream';
import {
  type Bindings,
  type ChildLoggerOptions,
  type DestinationStream,
  destination,
  type Level,
  type Logger as PinoLogger,
  pino,
} from 'pino';
import { prettyLine } from './pretty-lines.ts';
import { redactFields } from './redact.ts';
import { redactText } from './redact-text.ts';

export type Logger = PinoLogger;
export type LogLevel = Level | 'silent';

export interface LoggerOptions {
  /** Of the program or part: scheduler, worker. */
  name: string;
  /** Default info. */
  level?: LogLevel;
  /** Lines for people instead of JSON. Default false. */
  pretty?: boolean;
  /** Default stderr: stdout belongs to what a command answers. */
  destination?: 'stdout' | 'stderr' | { write(line: string): unknown };
}

/**
 * A pino logger that writes one JSON object a line. Secrets (fields named password, apiKey, authorization and their
 * like; in text, values of such names, and the credentials of URLs and headers) are replaced, payloads (input, output, payload, body, args, checkpoint) left out.
 * Pass errors as `{ error }`. Writes synchronously: what was logged before a crash is there.
 */
export function createLogger({
  name,
  level = 'info',
  pretty = false,
  destination: to = 'stderr',
}: LoggerOptions): Logger {
  const logger = pino(
    {
      name,
      level,
      formatters: { log: redactFields },
      // redactFields has described errors already.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method) {
          method.apply(this, redactArguments(args) as typeof args);
        },
      },
    },
    stream(to, pretty),
  );
  // pino does not send the fields of a child through the formatter; children inherit this.
  const { child } = logger;
  Object.assign(logger, {
    child(this: Logger, fields: Bindings, options?: ChildLoggerOptions): unknown {
      return Reflect.apply(child, this, [redactFields(fields), options]);
    },
  });
  return logger;
}

/** Text, and objects put in for %o, without secrets; a bare error as `{ err }`, with its message as the text. */
function redactArguments(args: readonly unknown[]): unknown[] {
  const [first, ...rest] = args;
  if (first instanceof Error) return redactArguments([{ err: first }, ...(rest.length > 0 ? rest : [first.message])]);
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') return redactText(value);
    return typeof value === 'object' && value !== null ? redactFields({ value })['value'] : value;
  };
  // Fields, when they come first, go through the formatter.
  return [typeof first === 'string' ? clean(first) : first, ...rest.map(clean)];
}

function stream(to: NonNullable<LoggerOptions['destination']>, pretty: boolean): DestinationStream {
  const fileDescriptor = to === 'stdout' ? 1 : 2;
  if (!pretty) return typeof to === 'string' ? lossyDestination(fileDescriptor) : asStream(to);
  const target = to === 'stdout' ? process.stdout : to === 'stderr' ? process.stderr : to;
  const colour = typeof to === 'string' && (to === 'stdout' ? process.stdout : process.stderr).isTTY === true;
  return { write: (line) => void target.write(prettyLine(line, colour)) };
}

/** Lines for a reader that has gone are lost: logging must not end a process. */
function lossyDestination(fd: number): DestinationStream {
  const stream = destination({ fd, sync: true });
  stream.on('error', () => undefined);
  return stream;
}

function asStream(to: { write(line: string): unknown }): DestinationStream {
  return to instanceof Writable ? to : { write: (line) => void to.write(line) };
}
