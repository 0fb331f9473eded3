import { ERROR_TYPES, type ErrorType } from '@flotilla/contracts';

const CODES_OF_TYPE: Record<ErrorType, readonly string[]> = {
  retryable: [
    'ECONNRESET ECONNREFUSED ECONNABORTED ETIMEDOUT ESOCKETTIMEDOUT EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN',
    'ENETRESET EAI_AGAIN EBUSY EAGAIN EINTR ERR_STREAM_PREMATURE_CLOSE ERR_SOCKET_CONNECTION_TIMEOUT',
    'ERR_HTTP2_STREAM_ERROR ERR_HTTP2_GOAWAY_SESSION UND_ERR_SOCKET UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_BODY_TIMEOUT UND_ERR_CLOSED OVERLOADED REDIS_UNAVAILABLE DURABILITY_UNAVAILABLE DATA_LOSS RETRYABLE',
    // An agent that is asked again may name another.
    'TURN_REFUSED',
    // Somebody else's cancellation: that of this attempt is known by its own signal.
    'CANCELLED CANCELED DRAINING',
  ],
  // A name that does not resolve and a permission that is missing do not heal within a backoff.
  non_retryable: [
    'ENOTFOUND EACCES EPERM EAUTH ENOENT EEXIST ENOTDIR EISDIR ENOTEMPTY EINVAL EROFS ENAMETOOLONG ELOOP EBADF',
    'EPROTONOSUPPORT EAFNOSUPPORT ENOSYS ENOTSUP MODULE_NOT_FOUND ERR_MODULE_NOT_FOUND ERR_INVALID_ARG_TYPE',
    'ERR_INVALID_CHAR ERR_INVALID_HTTP_TOKEN ERR_UNESCAPED_CHARACTERS UND_ERR_INVALID_ARG UND_ERR_NOT_SUPPORTED',
    'ERR_INVALID_ARG_VALUE ERR_INVALID_URL ERR_UNSUPPORTED_ESM_URL_SCHEME ERR_TLS_CERT_ALTNAME_INVALID',
    'CERT_HAS_EXPIRED CERT_NOT_YET_VALID DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY VALIDATION_ERROR INVALID_INPUT',
    'SCHEMA_VALIDATION_ERROR VALIDATION_FAILED MALFORMED_JSON JSON_TOO_DEEP JSON_FORBIDDEN_KEY PAYLOAD_TOO_LARGE',
    'DEFINITION_INVALID INPUT_INVALID UNAUTHORIZED FORBIDDEN RUN_NOT_FOUND WORKFLOW_NOT_FOUND IDEMPOTENCY_CONFLICT',
    'EXPRESSION_FAILED STEP_INPUT_INVALID STEP_OUTPUT_INVALID HANDLER_NOT_FOUND TOOL_NOT_ALLOWED MAP_NOT_A_LIST',
    'MAP_TOO_LARGE MAP_ITEMS_FAILED CRASH_LIMIT SCHEDULER_CRASH_LIMIT DATA_CORRUPTION BUDGET_EXCEEDED HTTP_TARGET_REFUSED NON_RETRYABLE',
    'APPROVAL_REJECTED APPROVAL_STALE CHILD_RUN_FAILED QUORUM_UNREACHABLE',
    'CLEANUP_REFUSED CHANNEL_REFUSED USAGE_INVALID',
    // What a scheduler answers to a handler that uses the client: asking again gets the same answer.
    'ROUTE_NOT_FOUND METHOD_NOT_ALLOWED UNSUPPORTED_MEDIA_TYPE BAD_HTTP HOST_REFUSED RUN_PRUNED RUN_NOT_ACTIVE',
    'NOTHING_TO_RETRY STEP_NOT_FOUND DEAD_LETTER_NOT_FOUND WORKFLOW_VERSION_CONFLICT DURABILITY_UNSUPPORTED',
    'CONFIG_INVALID REDIS_URL_INVALID',
  ],
  rate_limited: ['RATE_LIMIT RATE_LIMITED RATE_LIMIT_EXCEEDED TOO_MANY_REQUESTS QUOTA_EXCEEDED'],
  resource_exhausted: [
    'EMFILE ENFILE ENOSPC ENOMEM EDQUOT ENOBUFS ERR_WORKER_OUT_OF_MEMORY RESOURCE_EXHAUSTED',
    'INSUFFICIENT_RESOURCES STORAGE_FULL',
  ],
  // A handler that aborts a call of its own has waited for it long enough.
  timeout: [
    'TIMEOUT TIMED_OUT DEADLINE_EXCEEDED ABORTED ABORT_ERR ERR_CANCELED ERR_CANCELLED UND_ERR_ABORTED WAIT_TIMEOUT',
  ],
  // No code says so: cancelled is what the attempt's own signal has done.
  cancelled: [],
  crash: ['WORKER_LOST'],
};

/** Type of an error by its own `code`: system codes, Flotilla's and those in common use. */
export const TYPE_OF_CODE: ReadonlyMap<string, ErrorType> = new Map(
  ERROR_TYPES.flatMap((type) =>
    CODES_OF_TYPE[type].flatMap((line) => line.split(' ').map((code) => [code, type] as const)),
  ),
);

/** Type of an error by the HTTP status that it carries; undefined below 400, where a status says nothing. */
export function typeOfHttpStatus(status: number): ErrorType | undefined {
  if (!Number.isInteger(status) || status < 400 || status > 599) return undefined;
  if (status === 429) return 'rate_limited';
  if (status === 507) return 'resource_exhausted';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 425 || status === 500 || status === 502 || status === 503) return 'retryable';
  if (status < 500 || status === 501 || status === 505) return 'non_retryable';
  return 'retryable';
}
