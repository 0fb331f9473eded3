import { ERROR_TYPE, type ErrorType } from '@flotilla/contracts';
import { StepFailure, type StepFailureOptions } from './step-failure.ts';

/** `retryable` is left out: the class says it. */
export type TypedErrorOptions = Omit<StepFailureOptions, 'retryable'>;

/** An error whose class decides what becomes of the step. The type is a property, so other copies of it count as well. */
abstract class TypedError extends StepFailure {
  constructor(name: string, code: string, message: string, options: TypedErrorOptions) {
    super(message, { ...options, code: options.code ?? code });
    this.name = name;
  }

  abstract get [ERROR_TYPE](): ErrorType;
}

/** It may go better next time: another attempt follows, by the step's retry policy. Code: `RETRYABLE`. */
export class RetryableError extends TypedError {
  constructor(message: string, options: TypedErrorOptions = {}) {
    super('RetryableError', 'RETRYABLE', message, options);
  }

  get [ERROR_TYPE](): ErrorType {
    return 'retryable';
  }
}

/** No attempt can succeed: the step fails at once. Code: `NON_RETRYABLE`. */
export class NonRetryableError extends TypedError {
  constructor(message: string, options: TypedErrorOptions = {}) {
    super('NonRetryableError', 'NON_RETRYABLE', message, options);
  }

  get [ERROR_TYPE](): ErrorType {
    return 'non_retryable';
  }
}

/** Somebody allows no more for now: the next attempt waits `retryAfterMs`, else the policy's wait. Code: `RATE_LIMITED`. */
export class RateLimitedError extends TypedError {
  constructor(message: string, options: TypedErrorOptions = {}) {
    super('RateLimitedError', 'RATE_LIMITED', message, options);
  }

  get [ERROR_TYPE](): ErrorType {
    return 'rate_limited';
  }
}

/** Memory, disk or handles of the worker ran out: it takes less work for a while. Code: `RESOURCE_EXHAUSTED`. */
export class ResourceExhaustedError extends TypedError {
  constructor(message: string, options: TypedErrorOptions = {}) {
    super('ResourceExhaustedError', 'RESOURCE_EXHAUSTED', message, options);
  }

  get [ERROR_TYPE](): ErrorType {
    return 'resource_exhausted';
  }
}

/** Something took longer than it may: retried as a failed attempt. Code: `TIMEOUT`. */
export class TimeoutError extends TypedError {
  constructor(message: string, options: TypedErrorOptions = {}) {
    super('TimeoutError', 'TIMEOUT', message, options);
  }

  get [ERROR_TYPE](): ErrorType {
    return 'timeout';
  }
}

/**
 * The work was called off: never retried. Code: `CANCELLED`. What `signal` aborts need not be turned into one: of that Flotilla
 * knows itself.
 */
export class CancelledError extends TypedError {
  constructor(message: string, options: TypedErrorOptions = {}) {
    super('CancelledError', 'CANCELLED', message, options);
  }

  get [ERROR_TYPE](): ErrorType {
    return 'cancelled';
  }
}
