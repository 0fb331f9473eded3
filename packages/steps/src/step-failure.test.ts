import { expect, test } from '@jest/globals';
import { StepFailure } from './step-failure.ts';

test('a failure carries what it was given and nothing else', () => {
  const cause = new Error('socket');
  const failure = new StepFailure('busy', { code: 'BUSY', status: 429, retryAfterMs: 50, retryable: true, cause });
  expect({ ...failure }).toEqual({ name: 'StepFailure', code: 'BUSY', status: 429, retryAfterMs: 50, retryable: true });
  expect(failure.cause).toBe(cause);
  expect('status' in new StepFailure('plain')).toBe(false);
  expect(new StepFailure('plain').code).toBe('STEP_FAILED');
});
