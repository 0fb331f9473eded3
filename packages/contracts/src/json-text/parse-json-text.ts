import type { Problem } from '../errors.ts';
import { runToEnd } from '../run-to-end.ts';
import { parseJsonInPieces } from './parse-json-in-pieces.ts';
import { type NumberSpan, type ScanLimits, scanJson, scanJsonInPieces } from './scan-json.ts';

/** Bounds of any JSON text. A definition may have 20,000 steps, which decides the number of keys. */
const TEXT_LIMITS: ScanLimits = { maxDepth: 64, maxKeys: 400_000, maxKeysOfObject: 25_000 };

export type JsonTextErrorCode =
  | 'MALFORMED_JSON'
  | 'JSON_TOO_DEEP'
  | 'PAYLOAD_TOO_LARGE'
  | 'JSON_FORBIDDEN_KEY'
  | 'VALIDATION_FAILED';

/** JSON text that is not taken. The cause of MALFORMED_JSON is the parser's error, whose message quotes the text. */
export class JsonTextError extends Error {
  readonly code: JsonTextErrorCode;
  readonly problems: readonly Problem[];

  constructor(code: JsonTextErrorCode, message: string, problems: readonly Problem[], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'JsonTextError';
    this.code = code;
    this.problems = problems;
  }
}

/**
 * The value of a JSON text from outside. Every entrance of data uses this, so that all have one rule: bounded depth and
 * size, no key twice, no `__proto__`, no half surrogate pairs, and no number that would silently become another
 * (see `checkNumberText`).
 * @throws JsonTextError with all problems, each with its line and column.
 */
export function parseJsonText(text: string): unknown {
  return runToEnd(parseJsonTextInPieces(text));
}

/** The same in pieces of some milliseconds: a few megabytes take half a second. */
export function* parseJsonTextInPieces(text: string): Generator<void, unknown> {
  return yield* parseScanned(text, yield* scanJsonInPieces(text, TEXT_LIMITS));
}

/**
 * The same where nobody can send the value in another way, because it is another service's answer: a number that a
 * double would change becomes text with its digits.
 */
export function parseForeignJson(text: string): unknown {
  const inexact: NumberSpan[] = [];
  const problems = scanJson(text, TEXT_LIMITS, (span) => void inexact.push(span));
  return runToEnd(parseScanned(quoteNumbers(text, inexact), problems));
}

function* parseScanned(text: string, problems: readonly Problem[]): Generator<void, unknown> {
  const fatal = problems.find(({ code }) => code === 'JSON_TOO_DEEP' || code === 'PAYLOAD_TOO_LARGE');
  if (fatal !== undefined) throw refusal(fatal.code as JsonTextErrorCode, problems);
  let value: unknown;
  try {
    value = yield* parseJsonInPieces(text);
  } catch (error) {
    throw new JsonTextError('MALFORMED_JSON', malformedAt(text, error), [], error);
  }
  if (problems.some(({ code }) => code === 'JSON_FORBIDDEN_KEY')) throw refusal('JSON_FORBIDDEN_KEY', problems);
  if (problems.length > 0) throw refusal('VALIDATION_FAILED', problems);
  return value;
}

function quoteNumbers(text: string, spans: readonly NumberSpan[]): string {
  if (spans.length === 0) return text;
  const parts: string[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    parts.push(text.slice(from, start), '"', text.slice(start, end), '"');
    from = end;
  }
  return parts.join('') + text.slice(from);
}

function refusal(code: JsonTextErrorCode, problems: readonly Problem[]): JsonTextError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more problems)` : '';
  return new JsonTextError(code, `${first?.message ?? 'not acceptable'}${more}`, problems);
}

/** Where the text stops being JSON, without the piece of it that the parser quotes, which may be a secret or a megabyte. */
function malformedAt(text: string, error: unknown): string {
  const { message } = error as Error;
  const position = /at position (\d+)/.exec(message)?.[1];
  // Of an unexpected token the parser tells no position, and quotes what is around it.
  if (position === undefined) return /end of JSON/.test(message) ? 'not complete JSON' : 'not JSON';
  const before = text.slice(0, Number(position));
  const line = before.split('\n').length;
  return `not JSON: line ${line} column ${before.length - before.lastIndexOf('\n')}`;
}
