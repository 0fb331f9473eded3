import { types } from 'node:util';
import { REDACTED, redactText } from './redact-text.ts';
import { isSecretName } from './secret-names.ts';

/**
 * Makes values fit for a log: secrets are replaced, payloads left out, errors spelled out without what clients hang on
 * them, and everything is bounded in depth and size.
 */

const OMITTED = '[omitted]';

const PAYLOAD_NAMES: ReadonlySet<string> = new Set([
  'input',
  'output',
  'payload',
  'body',
  'args',
  'checkpoint',
  'items',
]);
const MAX_DEPTH = 6;
const MAX_ENTRIES = 100;
/** Of one line, all levels together. */
const MAX_VALUES = 1000;
const MAX_CAUSES = 5;

/** What a walk through one line keeps. */
interface Walk {
  /** The objects the walk is in, to find cycles. */
  above: Set<object>;
  valuesLeft: number;
}

/** A copy of the fields of a log line with everything in it made fit for a log. */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactObject(fields, 0, { above: new Set(), valuesLeft: MAX_VALUES });
}

function redactValue(name: string, value: unknown, depth: number, walk: Walk): unknown {
  walk.valuesLeft -= 1;
  if (walk.valuesLeft < 0) return '…';
  if (value !== undefined && value !== null && isSecretName(name, typeof value === 'number')) return REDACTED;
  if (PAYLOAD_NAMES.has(name) && typeof value !== 'number' && typeof value !== 'boolean') return OMITTED;
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (isError(value)) return describeError(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (walk.above.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? '[list]' : '[object]';
  if (!Array.isArray(value) && !isPlain(value)) return describeInstance(name, value);
  if (!Array.isArray(value)) return redactObject(value as Record<string, unknown>, depth + 1, walk);
  walk.above.add(value);
  const list = value.slice(0, MAX_ENTRIES).map((entry) => redactValue('', entry, depth + 1, walk));
  walk.above.delete(value);
  if (value.length > MAX_ENTRIES) list.push(`… ${value.length - MAX_ENTRIES} more`);
  return list;
}

function redactObject(object: Record<string, unknown>, depth: number, walk: Walk): Record<string, unknown> {
  walk.above.add(object);
  const result: Record<string, unknown> = {};
  let entries = 0;
  for (const [name, value] of Object.entries(object)) {
    entries += 1;
    if (entries > MAX_ENTRIES || walk.valuesLeft <= 0) {
      result['…'] = 'more fields';
      break;
    }
    // A field named __proto__ would set the prototype of the copy.
    if (name !== '__proto__') result[name] = redactValue(name, value, depth, walk);
  }
  walk.above.delete(object);
  return result;
}

/** Also for errors of another realm, such as the one of a test. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object of another realm has another Object.prototype, which has no prototype either.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Objects of a class are large and none of a log's business, but for the HTTP exchange that a server logs. */
function describeInstance(name: string, value: object): unknown {
  const { method, url, statusCode } = value as Record<string, unknown>;
  if (name === 'req' && typeof url === 'string') return { method, url: url.split('?', 1)[0] };
  if (name === 'res' && typeof statusCode === 'number') return { statusCode };
  return `[${value.constructor?.name || 'object'}]`;
}

/** An error as plain fields: type, code, message, stack and its causes. Other properties may hold payloads. */
export function describeError(error: Error, causes = 0): Record<string, unknown> {
  const { code, condition, problems, cause } = error as Error & Record<string, unknown>;
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(typeof condition === 'string' ? { condition } : {}),
    message: redactText(error.message),
    ...(Array.isArray(problems) && problems.length > 0 ? { problems: problems.length } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(isError(cause) && causes < MAX_CAUSES ? { cause: describeError(cause, causes + 1) } : {}),
  };
}
