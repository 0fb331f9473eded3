import { MAX_DURATION_MS } from './definition.ts';
import { parseHttpDate } from './parse-http-date.ts';

/** Gives a header by its lower-case name. */
export type ReadHeader = (name: string) => unknown;

/** Headers that say when a limit is lifted, in the order in which they are asked. */
const RESET_HEADERS = ['ratelimit-reset', 'x-ratelimit-reset', 'x-rate-limit-reset'];
const REMAINING_HEADERS = ['ratelimit-remaining', 'x-ratelimit-remaining', 'x-rate-limit-remaining'];
/** Larger numbers are no waits but times since 1970: in seconds, and from the second one in milliseconds. */
const FIRST_TIME_S = 1_000_000_000;
const FIRST_TIME_MS = 1_000_000_000_000;

/**
 * How long an answer asks to wait, in milliseconds: `Retry-After` (RFC 9110: seconds or a date), else `retry-after-ms`,
 * else, when the limit is used up, `RateLimit` or `(x-)ratelimit-reset` (seconds, or a time since 1970). Dates are
 * measured against the answer's own `Date` when it has one, else against `nowMs`; without both they say nothing.
 */
export function retryAfterOfHeaders(read: ReadHeader, nowMs: number | undefined): number | undefined {
  const serverNowMs = dateOf(read('date')) ?? nowMs;
  return (
    parseRetryAfter(read('retry-after'), serverNowMs) ??
    boundedMs(numberOf(read('retry-after-ms'))) ??
    (isLimitUsedUp(read) === false ? undefined : resetMs(read, serverNowMs))
  );
}

/** True when an answer says that nothing of its limit is left, false when something is; undefined: it does not say. */
export function isLimitUsedUp(read: ReadHeader): boolean | undefined {
  for (const name of REMAINING_HEADERS) {
    const remaining = numberOf(read(name));
    if (remaining !== undefined) return remaining <= 0;
  }
  const remaining = fieldOf(read('ratelimit'), ['r', 'remaining']);
  return remaining === undefined ? undefined : remaining <= 0;
}

/** Seconds as a number or text, or an HTTP date when the present is known. */
export function parseRetryAfter(asked: unknown, nowMs: number | undefined): number | undefined {
  const seconds = numberOf(asked);
  if (seconds !== undefined) return boundedMs(seconds * 1000);
  if (nowMs === undefined) return undefined;
  const atMs = dateOf(asked);
  return atMs === undefined ? undefined : boundedMs(Math.max(0, atMs - nowMs));
}

/** A wait that can be kept: whole milliseconds up to the longest duration. Undefined for what is no wait. */
export function boundedMs(value: unknown): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return undefined;
  return Math.min(Math.ceil(value), MAX_DURATION_MS);
}

function resetMs(read: ReadHeader, nowMs: number | undefined): number | undefined {
  const own = RESET_HEADERS.map((name) => numberOf(read(name))).find((value) => value !== undefined);
  const reset = own ?? fieldOf(read('ratelimit'), ['t', 'reset']);
  if (reset === undefined) return undefined;
  if (reset < FIRST_TIME_S) return boundedMs(reset * 1000);
  if (nowMs === undefined) return undefined;
  return boundedMs(Math.max(0, (reset < FIRST_TIME_MS ? reset * 1000 : reset) - nowMs));
}

/** One number of a structured field such as `"default";r=0;t=30` or `limit=100, remaining=0, reset=30`. */
function fieldOf(text: unknown, names: readonly string[]): number | undefined {
  if (typeof text !== 'string' || text.length > 256) return undefined;
  for (const part of text.split(/[;,]/)) {
    const [name = '', value] = part.split('=');
    if (names.includes(name.trim())) return numberOf(value);
  }
  return undefined;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.length > 32) return undefined;
  return /^\s*\d+(?:\.\d+)?\s*$/.test(value) ? Number(value) : undefined;
}

function dateOf(value: unknown): number | undefined {
  return typeof value === 'string' && value.length <= 64 ? parseHttpDate(value) : undefined;
}
