import {
  certificateHint,
  ERROR_CODES,
  type ErrorCode,
  FlotillaError,
  type Problem,
  type ProblemDocument,
} from '@flotilla/contracts';

/** The error that a server's problem document tells of; codes of a newer server become INTERNAL and keep their text. */
export function errorOfProblem(document: ProblemDocument): FlotillaError {
  const known = Object.hasOwn(ERROR_CODES, document.code);
  const code = known ? (document.code as ErrorCode) : 'INTERNAL';
  const message = known ? document.detail : `${document.code}: ${document.detail}`;
  return new FlotillaError(code, message, {
    problems: (document.problems ?? []) as readonly Problem[],
    ...(document.retryAfterMs !== undefined && { retryAfterMs: document.retryAfterMs }),
    ambiguous: document.ambiguous ?? false,
  });
}

/** The error of an answer that is not a success: a problem document, or whatever stands between us and the server. */
export function errorOfAnswer(status: number, text: string): FlotillaError {
  const document = parseProblem(text);
  if (document !== undefined) return errorOfProblem(document);
  if (status === 502 || status === 503 || status === 504) {
    const message = `a server in between answers ${status}`;
    return new FlotillaError('SCHEDULER_UNREACHABLE', message, { ambiguous: status !== 503 });
  }
  return new FlotillaError('INTERNAL', `the server at the URL answers ${status}, not as a Flotilla scheduler would`);
}

function parseProblem(text: string): ProblemDocument | undefined {
  try {
    const value = JSON.parse(text) as Partial<ProblemDocument> | null;
    const fits = typeof value === 'object' && typeof value?.code === 'string' && typeof value.detail === 'string';
    return fits ? (value as ProblemDocument) : undefined;
  } catch {
    return undefined; // no JSON, so no problem document
  }
}

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** True when the same call may succeed later without anything being repaired by hand. */
export function isWorthRetrying(error: FlotillaError): boolean {
  return RETRYABLE_STATUSES.has(ERROR_CODES[error.code].status) && error.code !== 'DATA_LOSS';
}

/** System codes of connections that were never made: the server has seen nothing of the call. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** SCHEDULER_UNREACHABLE for what `fetch` throws; ambiguous when the call may have reached the server. */
export function errorOfConnection(thrown: unknown, url: string): FlotillaError {
  const code = systemCode(thrown);
  const neverSent = code !== undefined && NEVER_SENT.has(code);
  const message = neverSent
    ? `no scheduler answers at ${url} (${code})${certificateHint(code)}`
    : `the connection to ${url} broke before the answer (${code ?? String((thrown as Error)?.message)})`;
  return new FlotillaError('SCHEDULER_UNREACHABLE', message, { ambiguous: !neverSent, cause: thrown });
}

/** The system's code, which `fetch` hides in a cause, or in several when a host has several addresses. */
function systemCode(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error !== undefined && error !== null && depth < 5; depth += 1) {
    const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown[] };
    if (typeof code === 'string') return code;
    error = cause ?? errors?.[0];
  }
  return undefined;
}
