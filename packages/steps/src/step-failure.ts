export interface StepFailureOptions {
  /** Shown as `error.code` of the step. Well-known system codes (`ECONNRESET` …) are classified as such. */
  code?: string;
  /** HTTP status of the answer that caused the failure; 429 and 5xx are retried. */
  status?: number;
  /** Decides whether another attempt is made, whatever code and status say. */
  retryable?: boolean;
  /** Not before so many milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** What a handler throws when it knows more than a plain `Error` can say. */
export class StepFailure extends Error {
  readonly code: string;
  declare readonly status?: number;
  declare readonly retryable?: boolean;
  declare readonly retryAfterMs?: number;

  constructor(message: string, options: StepFailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StepFailure';
    this.code = options.code ?? 'STEP_FAILED';
    if (options.status !== undefined) this.status = options.status;
    if (options.retryable !== undefined) this.retryable = options.retryable;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}
