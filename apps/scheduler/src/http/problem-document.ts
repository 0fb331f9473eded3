import { ERROR_CODES, type ErrorCode, FlotillaError, isFlotillaError, type ProblemDocument } from '@flotilla/contracts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** The RFC 9457 document of an error. `instance` is the path of the request. */
export function toProblemDocument(error: FlotillaError, instance?: string): ProblemDocument {
  const { status, title } = ERROR_CODES[error.code];
  return {
    type: `urn:flotilla:error:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    ...(instance !== undefined && { instance }),
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    ...(error.ambiguous && { ambiguous: true }),
    ...(error.problems.length > 0 && { problems: [...error.problems] }),
  };
}

/** What fastify itself refuses, in our words. */
const FASTIFY_ERRORS: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'PAYLOAD_TOO_LARGE',
    message:
      'the body is larger than this resource takes: 64 KiB, or FLOTILLA_MAX_BODY_BYTES where a definition may be in it',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'send the body as application/json',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: 'BAD_HTTP', message: 'the body is not as long as Content-Length says' },
  FST_ERR_CTP_EMPTY_TYPE: { code: 'UNSUPPORTED_MEDIA_TYPE', message: 'send the body as application/json' },
  FST_ERR_BAD_URL: { code: 'BAD_HTTP', message: 'the path is not a valid URL' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'BAD_HTTP', message: 'a part of the path is too long' },
};

/** Any thrown value as a FlotillaError: what is not known becomes INTERNAL, without telling its message to the caller. */
export function toFlotillaError(error: unknown): FlotillaError {
  if (isFlotillaError(error)) return error;
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? FASTIFY_ERRORS[code] : undefined;
  if (known !== undefined) return new FlotillaError(known.code, known.message, { cause: error });
  if (typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' && statusCode < 500) {
    return new FlotillaError('BAD_HTTP', 'the server cannot work with this request', { cause: error });
  }
  return new FlotillaError('INTERNAL', 'something went wrong inside Flotilla; its log says more', { cause: error });
}

/** Whole seconds of the `Retry-After` header. */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}
