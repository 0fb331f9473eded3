import { BREAKER_STATES } from '@flotilla/contracts';
import { expect, test } from '@jest/globals';
import { DEFAULT_BREAKER_SETTINGS } from './breaker-settings.ts';

test('ORIGIN: a breaker is closed, open or half-open', () => {
  expect(BREAKER_STATES).toEqual(['closed', 'open', 'half-open']);
});

test.each([
  ['failureThreshold, 5 failures', 'minimumCalls', 5],
  ['monitoringWindowMs, whose failures are judged', 'windowMs', 60_000],
  ['recoveryTimeoutMs, after which a call tests the way back', 'probeIntervalMs', 10_000],
  ['halfOpenMaxCalls, 3 calls', 'rampCalls', 3],
] as const)('ORIGIN: what was called %s is %s: %d', (_was, name, value) => {
  expect(DEFAULT_BREAKER_SETTINGS[name]).toBe(value);
});
