/**
 * Every error code Flotilla answers with, its HTTP status and what it means.
 * docs/reference/errors.md is generated from this table.
 */
export const ERROR_CODES = {
  // Input
  VALIDATION_FAILED: { status: 400, title: 'The request does not have the expected form' },
  MALFORMED_JSON: { status: 400, title: 'The body is not JSON' },
  JSON_TOO_DEEP: { status: 400, title: 'The JSON is nested deeper than the limit' },
  JSON_FORBIDDEN_KEY: { status: 400, title: 'The JSON has a key that is never accepted, such as __proto__' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The body, an input or an output is larger than the limit' },
  DEFINITION_INVALID: { status: 422, title: 'The workflow definition has problems' },
  INPUT_INVALID: { status: 422, title: 'The input does not satisfy the schema of the workflow' },
  // State
  RUN_NOT_FOUND: { status: 404, title: 'There is no such run' },
  WORKFLOW_NOT_FOUND: { status: 404, title: 'There is no such workflow' },
  ROUTE_NOT_FOUND: { status: 404, title: 'There is no such resource' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The resource does not support this method' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body is not declared as application/json' },
  BAD_HTTP: { status: 400, title: 'The request is not HTTP that the server accepts' },
  REQUEST_TOO_SLOW: { status: 408, title: 'The request did not arrive completely in time' },
  RUN_PRUNED: { status: 410, title: 'The run of this idempotency key has ended and was removed after the retention' },
  IDEMPOTENCY_CONFLICT: { status: 409, title: 'The idempotency key or run id was used with another body' },
  WORKFLOW_VERSION_CONFLICT: { status: 409, title: 'This version of the workflow exists with another content' },
  RUN_STILL_ACTIVE: { status: 409, title: 'The run has not ended; only an ended run can be retried' },
  NOTHING_TO_RETRY: { status: 409, title: 'The run has no failed steps to retry' },
  ERROR_GROUP_NOT_FOUND: { status: 404, title: 'There is no such error group' },
  DEAD_LETTER_NOT_FOUND: { status: 404, title: 'The step is not a dead letter' },
  TOO_MANY_BREAKERS: { status: 409, title: 'Breaker limit reached; a new breaker cannot be opened manually' },
  STEP_NOT_FOUND: { status: 404, title: 'The run has no such step' },
  CHANNEL_FULL: { status: 429, title: 'The channel is full' },
  BULK_NOT_FOUND: { status: 404, title: 'There is no such bulk job' },
  BULK_TOO_LARGE: { status: 422, title: 'The filter matches more runs than one bulk job may have' },
  CHANNEL_NOT_FOUND: { status: 404, title: 'There is no such channel' },
  SIGNALS_FULL: { status: 429, title: 'The run has too many unanswered signals' },
  APPROVAL_NOT_FOUND: { status: 404, title: 'There is no such approval' },
  APPROVAL_DECIDED: { status: 409, title: 'The approval has already been decided' },
  APPROVER_NOT_ALLOWED: { status: 403, title: 'The caller is not an approver of this approval' },
  WEBHOOK_NOT_FOUND: { status: 404, title: 'No step waits for this webhook' },
  RUN_NOT_ACTIVE: { status: 409, title: 'The run has already ended' },
  // Access
  UNAUTHORIZED: { status: 401, title: 'A valid API key is needed' },
  FORBIDDEN: { status: 403, title: 'The caller may not do this' },
  HOST_REFUSED: { status: 421, title: 'The Host header names a host that this server does not serve' },
  // Load and storage
  OVERLOADED: { status: 503, title: 'Too much is waiting; try again later' },
  REDIS_UNAVAILABLE: { status: 503, title: 'Redis cannot be reached or does not accept writes now' },
  STORAGE_FULL: { status: 503, title: 'Redis is full; nothing was stored' },
  DURABILITY_UNAVAILABLE: { status: 503, title: 'The requested durability was not confirmed' },
  DURABILITY_UNSUPPORTED: { status: 422, title: 'This Redis cannot provide the requested durability' },
  DEADLINE_EXCEEDED: { status: 504, title: 'The call did not finish before its deadline' },
  INTERNAL: { status: 500, title: 'Something went wrong inside Flotilla' },
  // Made by the client, never sent by a server
  SCHEDULER_UNREACHABLE: { status: 503, title: 'No scheduler answers at the URL' },
  CALL_ABORTED: { status: 499, title: 'The caller aborted the request' },
  // Start-up
  CONFIG_INVALID: { status: 500, title: 'The configuration has problems' },
  REDIS_URL_INVALID: { status: 500, title: 'The Redis URL cannot be used' },
  REDIS_TOO_OLD: { status: 500, title: 'Redis is older than 7.0' },
  REDIS_EVICTS: { status: 500, title: 'Redis may evict keys: maxmemory-policy must be noeviction' },
  REDIS_VOLATILE: { status: 500, title: 'Redis would lose its data on a restart: AOF is off' },
  PARTITION_MISMATCH: { status: 500, title: 'The deployment was created with another partition count' },
  DATA_LOSS: { status: 503, title: 'Redis has lost the data of this deployment' },
  PORT_IN_USE: { status: 500, title: 'The port is in use' },
  // Steps
  TIMEOUT: { status: 500, title: 'The step or run exceeded one of its time limits' },
  CANCELLED: { status: 500, title: 'The attempt was cancelled' },
  DRAINING: { status: 503, title: 'The worker is draining; the step goes to another' },
  EXPRESSION_FAILED: { status: 500, title: 'An expression of the definition could not be evaluated' },
  STEP_INPUT_INVALID: { status: 500, title: 'The input of the step does not satisfy the schema of its handler' },
  STEP_OUTPUT_INVALID: {
    status: 500,
    title: 'The output of the step cannot be stored or breaks the schema of its handler',
  },
  TOOL_NOT_ALLOWED: { status: 500, title: 'The step used a tool outside its allowlist' },
  MAP_NOT_A_LIST: { status: 500, title: 'A map step was given something other than a list' },
  MAP_TOO_LARGE: { status: 500, title: 'A map step was given more items than the limit' },
  MAP_ITEMS_FAILED: { status: 500, title: 'More items of the map failed than it tolerates' },
  STEP_FAILED: { status: 500, title: 'The handler failed without a code of its own' },
  UNAWAITED_REJECTION: { status: 500, title: 'A promise that the handler does not await was rejected; await it' },
  UNCAUGHT_EXCEPTION: {
    status: 500,
    title: "A timer, callback or emitter of the handler threw outside the handler's promise; catch it there",
  },
  CLEANUP_NOT_FOUND: { status: 404, title: 'The run has no such compensation or cleanup' },
  USAGE_INVALID: { status: 500, title: 'The usage that a step reported is not a valid amount' },
  CHANNEL_REFUSED: { status: 500, title: 'The step cannot use the channel in this way' },
  CLEANUP_REFUSED: {
    status: 500,
    title: 'The cleanup cannot be registered, or a cleanup tried what only steps may do',
  },
  WORKER_LOST: { status: 500, title: 'The worker that ran the attempt died or lost its lease' },
  CRASH_LIMIT: { status: 500, title: 'The step crashed its worker too many times and is quarantined' },
  SCHEDULER_CRASH_LIMIT: { status: 500, title: 'Processing the run crashed its schedulers too many times' },
  DATA_CORRUPTION: { status: 500, title: 'A checkpoint does not match its checksum' },
  DEFINITION_NOT_UNDERSTOOD: {
    status: 503,
    title: 'The process cannot compile a stored definition that is intact: the process is too old for it, or is broken',
  },
  BUDGET_EXCEEDED: { status: 500, title: 'The run exceeded its budget' },
  HTTP_STEP_FAILED: { status: 500, title: 'The server of an http step answered with an error' },
  QUORUM_UNREACHABLE: { status: 500, title: 'Too few branches of a broadcast succeeded to reach its quorum' },
  TURN_REFUSED: { status: 500, title: 'A turn named somebody who may not be next' },
  WAIT_TIMEOUT: { status: 500, title: 'What the step waited for did not come in time' },
  CHILD_RUN_FAILED: { status: 500, title: 'The child run did not succeed' },
  APPROVAL_REJECTED: { status: 500, title: 'The action of the step was not approved' },
  APPROVAL_STALE: { status: 500, title: 'The step would do something other than what was approved' },
  HTTP_TARGET_REFUSED: { status: 500, title: 'The address of an http step is not allowed' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One of several problems of one input. `path` is a JSON pointer into what was given. */
export interface Problem {
  code: string;
  path: string;
  message: string;
  /** A warning does not refuse the input. Default: error. */
  severity?: 'error' | 'warning';
  /** Line of the file that the input was read from, from 1. Only who reads files knows it. */
  line?: number;
}

export interface FlotillaErrorOptions {
  problems?: readonly Problem[];
  /** When trying again can help: after how many milliseconds. */
  retryAfterMs?: number;
  /** True when the call may or may not have taken effect. */
  ambiguous?: boolean;
  cause?: unknown;
}

/** The error that every part throws and the HTTP API turns into a problem document. */
export class FlotillaError extends Error {
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];
  readonly retryAfterMs: number | undefined;
  readonly ambiguous: boolean;

  constructor(code: ErrorCode, message: string, options: FlotillaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FlotillaError';
    this.code = code;
    this.problems = options.problems ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.ambiguous = options.ambiguous ?? false;
  }

  /** What the HTTP API answers with for this code; 500 for one that only a newer scheduler knows. */
  get status(): number {
    return (ERROR_CODES as Readonly<Record<string, { status: number }>>)[this.code]?.status ?? 500;
  }
}

export function isFlotillaError(value: unknown): value is FlotillaError {
  return value instanceof FlotillaError;
}
