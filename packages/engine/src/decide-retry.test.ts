import { DEFAULT_RETRY_POLICY, ERROR_TYPES, type RetryPolicy } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from './backoff.ts';
import { decideRetry, type RetryQuestion } from './decide-retry.ts';

const policyOf: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 1000 }),
  initialMs: fc.integer({ min: 0, max: 31_536_000_000 }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  maxMs: fc.integer({ min: 0, max: 31_536_000_000 }),
  jitter: fc.constantFrom('full', 'none'),
  maxElapsedMs: fc.integer({ min: 1, max: 31_536_000_000 }),
  rateLimitedMs: fc.integer({ min: 1, max: 31_536_000_000 }),
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

function question(changes: Partial<RetryQuestion> = {}): RetryQuestion {
  return {
    classification: { type: 'retryable' },
    policy: { ...DEFAULT_RETRY_POLICY },
    failures: 1,
    elapsedMs: 0,
    random: 0.5,
    ...changes,
  };
}

describe('backoff', () => {
  test('is a whole number of milliseconds between 0 and the cap, for any policy', () => {
    fc.assert(
      fc.property(policyOf, fc.integer({ min: 1, max: 1000 }), random, (policy, failures, share) => {
        const delayMs = backoffMs(policy, failures, share);
        expect(Number.isInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(policy.maxMs);
      }),
    );
  });

  test('grows by the factor: 100, 200, 400 … and not at all when the factor is 1', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, initialMs: 100, jitter: 'none' as const };
    expect([1, 2, 3, 4].map((failures) => backoffMs(policy, failures, 0))).toEqual([100, 200, 400, 800]);
    expect(backoffMs({ ...policy, factor: 1 }, 9, 0)).toBe(100);
  });

  test('with full jitter is a share of the exponential wait', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, initialMs: 1000 };
    expect([0, 0.25, 0.999].map((share) => backoffMs(policy, 1, share))).toEqual([0, 250, 999]);
  });

  test('is as long as its policy asks for, hours too, and at most 30 s when it does not ask', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, initialMs: 60_000, jitter: 'none' as const };
    expect(backoffMs(policy, 1, 0)).toBe(30_000);
    const hours = { ...policy, maxMs: 4 * 3_600_000 };
    expect([1, 2, 9].map((failures) => backoffMs(hours, failures, 0))).toEqual([60_000, 120_000, 14_400_000]);
    expect(backoffMs({ ...hours, jitter: 'full' }, 9, 0.5)).toBe(7_200_000);
  });

  test('has no wait when the initial one is 0, however often it is multiplied', () => {
    expect(backoffMs({ ...DEFAULT_RETRY_POLICY, initialMs: 0, factor: 100 }, 1000, 0.9)).toBe(0);
  });
});

describe('decideRetry', () => {
  test.each(ERROR_TYPES)('answers an error of type %s', (type) => {
    const retried = !['non_retryable', 'cancelled'].includes(type);
    expect(decideRetry(question({ classification: { type } })).action).toBe(retried ? 'retry' : 'fail');
  });

  test('allows exactly maxAttempts attempts', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, maxAttempts: 3 };
    expect(decideRetry(question({ policy, failures: 2 })).action).toBe('retry');
    expect(decideRetry(question({ policy, failures: 3 }))).toEqual({ action: 'fail', reason: 'attempts-exhausted' });
  });

  test('waits as long as the error asks, also beyond the cap of the backoff', () => {
    const classification = { type: 'rate_limited', retryAfterMs: 120_000 } as const;
    expect(decideRetry(question({ classification }))).toMatchObject({ action: 'retry', delayMs: 120_000 });
  });

  test('gives up when the wait would end after maxElapsedMs', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, maxElapsedMs: 10_000 };
    const classification = { type: 'rate_limited', retryAfterMs: 6000 } as const;
    expect(decideRetry(question({ policy, classification, elapsedMs: 4000 })).action).toBe('retry');
    expect(decideRetry(question({ policy, classification, elapsedMs: 4001 }))).toEqual({
      action: 'fail',
      reason: 'time-exhausted',
    });
  });
});

test('a wait that is over when it is asked for (Retry-After: 0, or a date of long ago) does not switch the backoff off', () => {
  const policy = { ...DEFAULT_RETRY_POLICY, initialMs: 1000, factor: 1, jitter: 'none' as const };
  const classification = { type: 'retryable' as const, retryAfterMs: 0 };
  expect(decideRetry(question({ classification, policy }))).toMatchObject({ action: 'retry', delayMs: 1000 });
});

describe('an attempt that a rate limit has ended', () => {
  const limited = (changes: Partial<RetryQuestion>) =>
    decideRetry(question({ classification: { type: 'rate_limited', retryAfterMs: 1000 }, ...changes }));
  const policy = { ...DEFAULT_RETRY_POLICY, rateLimitedMs: 60_000 };

  test('is followed by another however many there were, and counts towards no limit of attempts', () => {
    expect(limited({ policy, failures: 900, rateLimited: 899 })).toMatchObject({ action: 'retry', delayMs: 1000 });
    const other = (failures: number) =>
      decideRetry(question({ policy: { ...policy, maxAttempts: 3 }, failures, rateLimited: 7 }));
    expect(other(9)).toMatchObject({ action: 'retry' });
    expect(other(10)).toEqual({ action: 'fail', reason: 'attempts-exhausted' });
  });

  test('is limited by time', () => {
    expect(limited({ policy, elapsedMs: 59_000 })).toMatchObject({ action: 'retry' });
    expect(limited({ policy, elapsedMs: 59_001 })).toEqual({ action: 'fail', reason: 'time-exhausted' });
  });

  test('is the last where one attempt is all there may be', () => {
    expect(limited({ policy: { ...policy, maxAttempts: 1 } })).toEqual({
      action: 'fail',
      reason: 'attempts-exhausted',
    });
  });
});
