import { ERROR_TYPE } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { outcomeOfFailedCall } from './breaker-outcome.ts';
import { classifyError } from './classify-error.ts';

const thrown = (properties: object) => Object.assign(new Error('no'), properties);
const outcomeOf = (error: unknown) => outcomeOfFailedCall(classifyError(error));

describe('a failed call', () => {
  test('that the own signal of the attempt has aborted says nothing of the dependency', () => {
    expect(outcomeOfFailedCall(classifyError(thrown({ name: 'AbortError' }), { isOwnAbort: true }))).toBe('ignored');
  });

  test.each([
    ['an answer of 500', thrown({ status: 500 })],
    ['an answer of 503 that is not to be retried', thrown({ status: 503, retryable: false })],
    ['an answer of 501', thrown({ status: 501 })],
    ['a refused connection', thrown({ code: 'ECONNREFUSED' })],
    ['a timeout', thrown({ name: 'TimeoutError' })],
    ['an answer that came too late', thrown({ status: 504 })],
    ['a dependency without room', thrown({ status: 507 })],
    ['a dependency that says it has run out', thrown({ code: 'RESOURCE_EXHAUSTED' })],
    ['a request that the handler aborted itself', thrown({ name: 'AbortError' })],
    ['the same, wrapped', new Error('no', { cause: thrown({ code: 'UND_ERR_ABORTED' }) })],
    ['an error that says nothing of itself', thrown({})],
  ])('counts against its breaker: %s', (_title, error) => {
    expect(outcomeOf(error)).toBe('failure');
  });

  test.each([
    ['a refusal', thrown({ status: 404 })],
    ['a rate limit', thrown({ status: 429 })],
    ['a rate limit by its code', thrown({ code: 'RATE_LIMITED' })],
  ])('shows that the dependency answers: %s', (_title, error) => {
    expect(outcomeOf(error)).toBe('answered');
  });

  test.each([
    ['a call that its author says was cancelled', thrown({ [ERROR_TYPE]: 'cancelled' })],
    ["a programmer's error", new TypeError('no')],
    ['an input that does not fit', thrown({ code: 'STEP_INPUT_INVALID' })],
    ['no more file handles here', thrown({ code: 'EMFILE' })],
    ['no more memory here', thrown({ code: 'ENOMEM' })],
  ])('says nothing of the dependency: %s', (_title, error) => {
    expect(outcomeOf(error)).toBe('ignored');
  });
});

test.each([['UND_ERR_INVALID_ARG'], ['ERR_INVALID_CHAR'], ['ERR_INVALID_URL'], ['STEP_INPUT_INVALID']])(
  'a request that could not be built (%s) is not retried and says nothing of the dependency',
  (code) => {
    const error = thrown({ code });
    expect(classifyError(error).type).toBe('non_retryable');
    expect(outcomeOf(error)).toBe('ignored');
  },
);
