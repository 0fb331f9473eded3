import { FlotillaError } from '@flotilla/contracts';

const DEFAULT_URL = 'http://127.0.0.1:7070';
const DEFAULT_DEADLINE_MS = 10_000;

export interface RetryOptions {
  /** Tries of one call, the first included. Default 5. */
  maxAttempts?: number;
  /** Pause before the second try; doubles each time. Default 100. */
  initialMs?: number;
  /** Longest pause that the client chooses; a server may ask for more. Default 2000. */
  maxMs?: number;
}

export interface ClientOptions {
  /** Default: FLOTILLA_URL, else http://127.0.0.1:7070. */
  url?: string;
  /** Default: FLOTILLA_API_KEY, else none. */
  apiKey?: string;
  /** For a whole call with all its tries. Default 10000. */
  deadlineMs?: number;
  /** False: every call is tried once. */
  retry?: RetryOptions | false;
}

/** Options of a single call. */
export interface CallOptions {
  /** Default: the client's. */
  deadlineMs?: number;
  /** Gives the call up: CALL_ABORTED. */
  signal?: AbortSignal;
}

export interface ClientSettings {
  /** Without a slash at the end. */
  url: string;
  apiKey: string | undefined;
  deadlineMs: number;
  retry: Required<RetryOptions>;
}

/** CONFIG_INVALID for a URL that is none. */
export function readSettings(options: ClientOptions): ClientSettings {
  const environment = globalThis.process?.env ?? {};
  const url = options.url ?? (environment['FLOTILLA_URL'] || DEFAULT_URL);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    const problems = [{ code: 'ILLEGAL_VALUE', path: '/url', message: 'expected an http or https URL' }];
    throw new FlotillaError('CONFIG_INVALID', `${url.slice(0, 200)} is not an http or https URL`, { problems });
  }
  const {
    maxAttempts = 5,
    initialMs = 100,
    maxMs = 2000,
  } = options.retry === false ? { maxAttempts: 1 } : (options.retry ?? {});
  return {
    url: url.replace(/\/+$/, ''),
    apiKey: options.apiKey ?? (environment['FLOTILLA_API_KEY'] || undefined),
    deadlineMs: options.deadlineMs ?? DEFAULT_DEADLINE_MS,
    retry: { maxAttempts, initialMs, maxMs },
  };
}

/** The options of a call without what was not given. */
export function callOf(deadlineMs: number | undefined, signal: AbortSignal | undefined): CallOptions {
  return { ...(deadlineMs !== undefined && { deadlineMs }), ...(signal !== undefined && { signal }) };
}
