import { ERROR_TYPE } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import {
  CancelledError,
  NonRetryableError,
  RateLimitedError,
  ResourceExhaustedError,
  RetryableError,
  TimeoutError,
} from './typed-errors.ts';

describe('a typed error', () => {
  test.each([
    [RetryableError, 'retryable', 'RETRYABLE'],
    [NonRetryableError, 'non_retryable', 'NON_RETRYABLE'],
    [RateLimitedError, 'rate_limited', 'RATE_LIMITED'],
    [ResourceExhaustedError, 'resource_exhausted', 'RESOURCE_EXHAUSTED'],
    [TimeoutError, 'timeout', 'TIMEOUT'],
    [CancelledError, 'cancelled', 'CANCELLED'],
  ])('%p says that it is %s', (TypedError, type, code) => {
    const error = new TypedError('it broke');
    expect(error).toMatchObject({ name: TypedError.name, message: 'it broke', code });
    expect(error[ERROR_TYPE]).toBe(type);
  });

  test('takes a code, a status, a wait and a cause', () => {
    const cause = new Error('socket');
    const error = new RateLimitedError('busy', { code: 'OURS', status: 429, retryAfterMs: 50, cause });
    expect({ ...error, cause: error.cause }).toEqual({
      name: 'RateLimitedError',
      code: 'OURS',
      status: 429,
      retryAfterMs: 50,
      cause,
    });
  });
});
