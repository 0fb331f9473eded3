import { validateHeaderName, validateHeaderValue } from 'node:http';
import { certificateHint, httpRequestZ, MAX_DURATION_MS } from '@flotilla/contracts';
import { z } from 'zod';
import { defineStep, type StepHandler } from '../define-step.ts';
import { StepFailure } from '../step-failure.ts';
import { type AllowList, type CheckedAddress, checkTarget, type Lookup } from './address-guard.ts';
import { decompressBody } from './decompress-body.ts';
import { type AnswerHeaders, decodeBody, failureOfAnswer, readBody } from './http-answer.ts';
import { applyRetryOn, type HttpPolicy, isSuccess } from './http-policy.ts';
import { Redactor } from './http-secrets.ts';
import { parseUrl } from './parse-url.ts';

/** The whole exchange, redirects and body included, when the input has no `timeoutMs`. */
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 3;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Set by the transport; from an author they could split or redirect the request. */
const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive', 'upgrade', 'te', 'trailer', 'expect'],
  ...['proxy-authorization', 'proxy-connection', 'accept-encoding'],
]);
/** undici's and Node's codes of a request that could not be built, so that nobody was connected to. */
const NOT_SENT_CODES: ReadonlySet<string> = new Set([
  ...['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'ERR_INVALID_CHAR'],
  ...['ERR_INVALID_HTTP_TOKEN', 'ERR_INVALID_URL', 'ERR_UNESCAPED_CHARACTERS', 'ERR_INVALID_ARG_TYPE'],
]);
/** Not told to another origin that a redirect names. */
const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'x-api-key']);

const inputZ = httpRequestZ
  .extend({
    timeoutMs: z.int().min(1).max(MAX_DURATION_MS).optional(),
    /** Values inside the request that nothing may show. */
    secrets: z.array(z.string()).optional(),
  })
  .refine(({ method = 'GET', body }) => body === undefined || (method !== 'GET' && method !== 'HEAD'), {
    error: 'GET and HEAD carry no body',
    path: ['body'],
  })
  .superRefine(({ headers = {}, url }, context) => {
    if (!URL.canParse(url)) context.addIssue({ code: 'custom', path: ['url'], message: 'this is not a URL' });
    for (const [name, value] of Object.entries(headers)) {
      const message = problemOfHeader(name, value);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['headers', name], message });
    }
  });

/** Why a header cannot be sent. Not its value, which may be a secret. */
function problemOfHeader(name: string, value: string): string | undefined {
  if (FORBIDDEN_HEADERS.has(name.toLowerCase())) return `the header ${name} cannot be set`;
  try {
    validateHeaderName(name);
  } catch {
    return 'this is not the name of a header';
  }
  try {
    validateHeaderValue(name, value);
  } catch {
    return `the value of the header ${name} has a character that cannot be sent, such as a line break, or one beyond ISO 8859-1`;
  }
  return undefined;
}

const outputZ = z.strictObject({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.json() });

export interface HttpHandlerOptions {
  allow: AllowList;
  /** Default: the system's resolver. */
  lookup?: Lookup;
  /** Milliseconds since 1970, for `Retry-After` dates of servers that send no `Date`. */
  nowMs: () => number;
}

/** One request of the exchange; a redirect makes the next. */
interface Hop {
  method: NonNullable<z.output<typeof inputZ>['method']>;
  url: URL;
  headers: Record<string, string>;
  body: string | undefined;
}

interface Answer {
  status: number;
  headers: AnswerHeaders;
  body: Uint8Array;
}

/**
 * `flotilla.http`: makes a request and returns `{ status, headers, body }`. Only public addresses are connected to. An
 * answer that is neither 2xx nor accepted fails the attempt with `HTTP_STEP_FAILED`, its status and `Retry-After`.
 */
export function createHttpHandler({ allow, lookup, nowMs }: HttpHandlerOptions): StepHandler {
  return defineStep({
    name: 'flotilla.http',
    input: inputZ,
    output: outputZ,
    run: async (input, { signal, idempotencyKey }) => {
      const timeout = AbortSignal.timeout(Math.min(input.timeoutMs ?? DEFAULT_TIMEOUT_MS, 2_147_483_647));
      const hop = firstHop(input, idempotencyKey);
      const redactor = new Redactor(input.secrets);
      try {
        const exchanging = { signal: AbortSignal.any([signal, timeout]), policy: input, redactor };
        const answer = await follow(hop, exchanging, (url) => checkTarget(url, allow, lookup));
        if (!isSuccess(answer.status, input)) {
          throw failureOfAnswer(named(hop), answer.status, answer.headers, nowMs());
        }
        return await toOutput(answer, redactor);
      } catch (error) {
        signal.throwIfAborted();
        const failure = timeout.aborted
          ? new StepFailure(`${named(hop)} timed out`, { code: 'ETIMEDOUT', cause: error })
          : applyRetryOn(toFailure(hop, error), input);
        throw redactor.redactFailure(failure);
      }
    },
  });
}

function firstHop(input: z.output<typeof inputZ>, idempotencyKey: string): Hop {
  const url = parseUrl(input.url);
  if (url === null) throw new StepFailure('the url is not a URL', { code: 'STEP_INPUT_INVALID', retryable: false });
  const own = Object.entries(input.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const { body } = input;
  const contentType = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  const headers = {
    'user-agent': 'flotilla',
    'accept-encoding': 'identity',
    'idempotency-key': idempotencyKey,
    ...(body === undefined ? {} : { 'content-type': contentType }),
    ...Object.fromEntries(own),
  };
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  return { method: input.method ?? 'GET', url, headers, body: text };
}

async function follow(
  first: Hop,
  { signal, policy, redactor }: { signal: AbortSignal; policy: HttpPolicy; redactor: Redactor },
  check: (url: URL) => Promise<readonly CheckedAddress[]>,
): Promise<Answer> {
  let hop = first;
  for (let redirects = 0; ; redirects += 1) {
    const addresses = await abortable(check(hop.url), signal);
    const answer = await exchange(hop, addresses, signal);
    const location = answer.headers['location'];
    if (!REDIRECT_STATUSES.has(answer.status) || location === undefined || isSuccess(answer.status, policy))
      return answer;
    if (redirects === MAX_REDIRECTS) {
      const message = `${named(first)} was redirected more than ${MAX_REDIRECTS} times`;
      throw new StepFailure(message, { code: 'HTTP_STEP_FAILED', retryable: false });
    }
    hop = redirected(hop, answer.status, location, redactor);
  }
}

/** One request over a connection of its own, which goes to one of the addresses that were checked and no other. */
async function exchange(hop: Hop, addresses: readonly CheckedAddress[], signal: AbortSignal): Promise<Answer> {
  // Only with the first request: it does not load on Node 20, on which authors test their handlers.
  const { Agent, request } = await import('undici');
  const dispatcher = new Agent({
    connect: {
      lookup: (_hostname, options, callback) => {
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      },
    },
  });
  try {
    const { method, url, headers, body } = hop;
    const answer = await request(url.href, {
      method,
      headers,
      signal,
      dispatcher,
      ...(body === undefined ? {} : { body }),
    });
    const flat: AnswerHeaders = {};
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    return { status: answer.statusCode, headers: flat, body: await readBody(answer.body) };
  } finally {
    // Nothing is pooled: the next request of the name must be checked anew.
    await dispatcher.destroy();
  }
}

function redirected(hop: Hop, status: number, location: string, redactor: Redactor): Hop {
  const url = parseUrl(location, hop.url.href);
  if (url === null) {
    throw new StepFailure(`${named(hop)} was redirected to something that is not a URL`, {
      code: 'HTTP_STEP_FAILED',
      retryable: false,
    });
  }
  const toGet = status === 303 ? hop.method !== 'HEAD' : (status === 301 || status === 302) && hop.method === 'POST';
  const leaves = url.origin !== hop.url.origin;
  if (leaves && !toGet && hop.body !== undefined && redactor.holdsSecret(hop.body)) {
    const message = `${named(hop)} was redirected to another origin, which the secrets in its body are not for`;
    throw new StepFailure(message, { code: 'HTTP_STEP_FAILED', retryable: false });
  }
  const isCredential = (name: string, value: string) => CREDENTIAL_HEADERS.has(name) || redactor.holdsSecret(value);
  const headers = Object.fromEntries(
    Object.entries(hop.headers).filter(
      ([name, value]) => !(toGet && name.startsWith('content-')) && !(leaves && isCredential(name, value)),
    ),
  );
  return { method: toGet ? 'GET' : hop.method, url, headers, body: toGet ? undefined : hop.body };
}

async function toOutput({ status, headers, body }: Answer, redactor: Redactor) {
  const plain = await decompressBody(body, headers['content-encoding']);
  return {
    status,
    headers: redactor.redactHeaders(headers),
    body: redactor.redactJson(decodeBody(plain, headers)),
  };
}

/** Connection errors keep their system code, by which they are classified; undici's own codes get the nearest one. */
function toFailure(hop: Hop, error: unknown): StepFailure {
  if (error instanceof StepFailure) return error;
  const code = systemCodeOf(error);
  if (NOT_SENT_CODES.has(code)) {
    // Nothing has left this process: another attempt would end the same way, and the server has not been asked.
    const options = { code: 'STEP_INPUT_INVALID', retryable: false, cause: error };
    return new StepFailure(`${named(hop)} cannot be sent: ${messageOf(error)}`, options);
  }
  const hint = certificateHint((error as { code?: unknown } | null)?.code);
  return new StepFailure(`${named(hop)} failed: ${messageOf(error) || code}${hint}`, { code, cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

function systemCodeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return 'ETIMEDOUT';
  }
  if (code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return 'ECONNRESET';
  return typeof code === 'string' && (/^E[A-Z]/.test(code) || NOT_SENT_CODES.has(code)) ? code : 'HTTP_STEP_FAILED';
}

/** For messages: without the query, which may hold a secret, and with a path as a whole or not, for half a secret is one. */
function named({ method, url }: Hop): string {
  return `${method} ${url.origin}${url.pathname.length > 200 ? '/…' : url.pathname}`;
}

/** Looking up a name cannot be aborted; waiting for it can. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
