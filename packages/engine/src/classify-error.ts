import {
  boundedMs,
  type ClassifyAnswer,
  type ClassifyRule,
  ERROR_TYPE,
  ERROR_TYPES,
  type ErrorType,
  parseRetryAfter,
  retryAfterOfHeaders,
} from '@flotilla/contracts';
import { TYPE_OF_CODE, typeOfHttpStatus } from './error-code-types.ts';

export type { ClassifyRule, ErrorType };

export interface Classification {
  type: ErrorType;
  /** The error's own code, or one made from what is known of it; `STEP_FAILED` when nothing is. */
  code: string;
  /** At most 2 KiB of UTF-8. */
  message: string;
  /** HTTP status that the error or one of its causes carries. */
  status?: number;
  /** What the error asks to wait, in milliseconds. */
  retryAfterMs?: number;
}

export interface ClassifyOptions {
  rules?: readonly ClassifyRule[];
  /** The present in milliseconds since 1970; only with it can a Retry-After that is a date be understood. */
  nowMs?: number;
  /** The attempt's own signal has fired: what says that it was aborted was aborted by that. Default false. */
  isOwnAbort?: boolean;
}

/** Beside `AbortError`, what says that something was called off. */
const ABORT_CODES: ReadonlySet<string> = new Set([
  ...['ABORT_ERR', 'ERR_CANCELED', 'ERR_CANCELLED', 'UND_ERR_ABORTED', 'CANCELLED', 'CANCELED', 'DRAINING'],
]);
const MAX_MESSAGE_BYTES = 2048;
/** Causes are followed so far; also what ends a circle of causes. */
const MAX_CAUSES = 8;
const CODE_FORM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const PROGRAMMER_ERRORS: ReadonlySet<string> = new Set([
  'TypeError',
  'RangeError',
  'SyntaxError',
  'ReferenceError',
  'EvalError',
  'URIError',
  'AssertionError',
]);
const VALIDATION_ERRORS: ReadonlySet<string> = new Set(['ZodError', '$ZodError', 'ZodRealError', 'ValidationError']);
/** Types that another attempt may follow: an error that says `retryable: true` keeps the more telling of them. */
const RETRIED_TYPES: ReadonlySet<ErrorType> = new Set(['rate_limited', 'resource_exhausted', 'timeout', 'retryable']);

/** What one error of a chain says about itself. */
interface Verdict {
  type: ErrorType | undefined;
  code: string | undefined;
}

/**
 * Says what kind of failure was thrown. Asks, in this order: the user's rules; whether it is the cancellation of this attempt,
 * which only its own signal can tell from a call that the handler has aborted itself; the type that the error carries; its own
 * `retryable`, `code` and HTTP status; the same of its causes; whether it is a programmer's error. What says nothing of itself
 * may be tried again. Messages are never searched. Never throws, whatever is thrown at it.
 */
export function classifyError(error: unknown, options: ClassifyOptions = {}): Classification {
  const chain = causesOf(error);
  const byRule = askRules(error, options.rules ?? []);
  const verdict = byRule ?? verdictOfChain(chain, options.isOwnAbort === true);
  const retryAfterMs = byRule?.retryAfterMs ?? firstDefined(chain, (link) => retryAfterMsOf(link, options.nowMs));
  const classification: Classification = {
    type: verdict.type ?? 'retryable',
    code: verdict.code ?? firstDefined(chain, codeOf) ?? 'STEP_FAILED',
    message: messageOf(error),
  };
  if (retryAfterMs !== undefined) classification.retryAfterMs = retryAfterMs;
  const status = firstDefined(chain, statusOf);
  if (status !== undefined) classification.status = status;
  return classification;
}

function verdictOfChain(chain: readonly unknown[], isOwnAbort: boolean): Verdict {
  const fallback: Verdict = { type: undefined, code: undefined };
  for (const link of chain) {
    const verdict = verdictOf(link, isOwnAbort);
    if (verdict.type !== undefined) return { ...verdict, code: verdict.code ?? fallback.code };
    fallback.code ??= verdict.code;
  }
  // Only now: a TypeError may merely wrap what matters, as `fetch failed` wraps ECONNRESET.
  if (chain.some(isProgrammerError)) fallback.type = 'non_retryable';
  return fallback;
}

function verdictOf(link: unknown, isOwnAbort: boolean): Verdict {
  const name = stringProperty(link, 'name');
  const code = codeOf(link);
  const isAbort = name === 'AbortError' || (code !== undefined && ABORT_CODES.has(code));
  if (isAbort && isOwnAbort) return { type: 'cancelled', code: code ?? 'CANCELLED' };
  const status = statusOf(link);
  const marked = markOf(link);
  if (marked !== undefined) return { type: marked, code };
  const byCode = code === undefined ? undefined : TYPE_OF_CODE.get(code);
  const byStatus = status === undefined ? undefined : typeOfHttpStatus(status);
  const known = byCode ?? byStatus;
  const shownCode = code ?? (byStatus === undefined ? undefined : `HTTP_${status}`);
  const retryable = property(link, 'retryable');
  if (retryable === false) return { type: 'non_retryable', code: shownCode };
  if (retryable === true) {
    return { type: known !== undefined && RETRIED_TYPES.has(known) ? known : 'retryable', code: shownCode };
  }
  if (known !== undefined) return { type: known, code: shownCode };
  if (name === 'AbortError') return { type: 'timeout', code: code ?? 'ABORTED' };
  if (name === 'TimeoutError') return { type: 'timeout', code: code ?? 'TIMEOUT' };
  if (name !== undefined && VALIDATION_ERRORS.has(name) && Array.isArray(property(link, 'issues'))) {
    return { type: 'non_retryable', code: code ?? 'VALIDATION_FAILED' };
  }
  return { type: undefined, code: shownCode };
}

function askRules(error: unknown, rules: readonly ClassifyRule[]): (Verdict & { retryAfterMs?: number }) | undefined {
  for (const rule of rules) {
    const { type, code, retryAfterMs: wait } = attempt(() => readAnswer(rule(error))) ?? {};
    // A rule in plain JavaScript may answer anything; what is not an answer is no answer.
    if (type === undefined || !ERROR_TYPES.includes(type)) continue;
    const retryAfterMs = boundedMs(wait);
    return {
      type,
      code: typeof code === 'string' && CODE_FORM.test(code) ? code : undefined,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  }
  return undefined;
}

function readAnswer(answer: ClassifyAnswer | undefined): { type?: ErrorType; code?: string; retryAfterMs?: number } {
  if (typeof answer === 'string') return { type: answer };
  return typeof answer === 'object' && answer !== null ? { ...answer } : {};
}

/** The error, its causes, and of an aggregate the first few errors; each once. */
function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && chain.length < MAX_CAUSES) {
    const link = queue.shift();
    if (link === undefined || link === null || chain.includes(link)) continue;
    chain.push(link);
    const cause = property(link, 'cause');
    if (typeof cause === 'object') queue.push(cause);
    const errors = property(link, 'errors');
    if (Array.isArray(errors)) queue.push(...(attempt(() => errors.slice(0, 3) as unknown[]) ?? []));
  }
  return chain;
}

/** What an error says of itself, such as the typed errors of @flotilla/steps. */
function markOf(link: unknown): ErrorType | undefined {
  const mark = property(link, ERROR_TYPE);
  return ERROR_TYPES.find((type) => type === mark);
}

/** A TypeError or one of its kin: the program is wrong. */
export function isProgrammerError(link: unknown): boolean {
  const name = stringProperty(link, 'name');
  return name !== undefined && PROGRAMMER_ERRORS.has(name);
}

function codeOf(link: unknown): string | undefined {
  const code = stringProperty(link, 'code');
  return code !== undefined && CODE_FORM.test(code) && code !== 'STEP_FAILED' ? code : undefined;
}

function statusOf(link: unknown): number | undefined {
  for (const holder of [link, property(link, 'response')]) {
    for (const key of ['status', 'statusCode']) {
      const status = property(holder, key);
      if (typeof status === 'number') return status;
    }
  }
  return undefined;
}

function retryAfterMsOf(link: unknown, nowMs: number | undefined): number | undefined {
  const own = boundedMs(property(link, 'retryAfterMs'));
  if (own !== undefined) return own;
  const asked = parseRetryAfter(property(link, 'retryAfter'), nowMs);
  if (asked !== undefined) return asked;
  for (const holder of [link, property(link, 'response')]) {
    const waitMs = retryAfterOfHeaders(headersOf(holder), nowMs);
    if (waitMs !== undefined) return waitMs;
  }
  return undefined;
}

/** Headers as a `Headers` object or as a record, whose names may begin with capitals. */
function headersOf(holder: unknown): (name: string) => unknown {
  const headers = property(holder, 'headers');
  const get = property(headers, 'get');
  if (typeof get === 'function') return (name) => attempt(() => Reflect.apply(get, headers, [name]) as unknown);
  return (name) => property(headers, name) ?? property(headers, name.replaceAll(/(?<![a-z])[a-z]/g, upperCase));
}

const upperCase = (letter: string): string => letter.toUpperCase();

function messageOf(error: unknown): string {
  if (typeof error === 'string') return cutToBytes(error);
  const message = stringProperty(error, 'message');
  if (message !== undefined) {
    const name = stringProperty(error, 'name');
    const named = name !== undefined && isProgrammerError(error) ? `${name}: ${message}` : message;
    return cutToBytes(named === '' ? (name ?? 'an error without a message') : named);
  }
  if (error === null) return 'null was thrown';
  if (typeof error === 'object') return 'an object that is not an error was thrown';
  return `${typeof error === 'undefined' ? 'undefined' : `a ${typeof error}`} was thrown`;
}

function cutToBytes(text: string): string {
  const wellFormed = text.slice(0, MAX_MESSAGE_BYTES).toWellFormed();
  if (Buffer.byteLength(wellFormed) <= MAX_MESSAGE_BYTES) return wellFormed;
  // Cutting bytes may halve a character, which decodes to one replacement character of three bytes.
  return Buffer.from(wellFormed)
    .subarray(0, MAX_MESSAGE_BYTES - 3)
    .toString()
    .replace(/�$/, '');
}

function firstDefined<Value>(chain: readonly unknown[], read: (link: unknown) => Value | undefined): Value | undefined {
  for (const link of chain) {
    const value = read(link);
    if (value !== undefined) return value;
  }
  return undefined;
}

function stringProperty(holder: unknown, key: string): string | undefined {
  const value = property(holder, key);
  return typeof value === 'string' ? value : undefined;
}

/** Reads a property of anything: getters and proxies may throw. */
function property(holder: unknown, key: string | symbol): unknown {
  if ((typeof holder !== 'object' || holder === null) && typeof holder !== 'function') return undefined;
  return attempt(() => (holder as Record<string | symbol, unknown>)[key]);
}

/** What a foreign piece of code gives, or undefined when it throws: the error at hand matters more than its. */
function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
