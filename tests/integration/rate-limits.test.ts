import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const handlers = fileURLToPath(new URL('fixtures/rate-limits.ts', import.meta.url));
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workerEnv: { FLOTILLA_HANDLERS: handlers } });
}, 60_000);
afterAll(() => fleet.stop());

const definition = (input: object, retry: object) => ({
  flotilla: 1,
  name: 'limited',
  steps: { s: { kind: 'task', use: 'flotilla.fail', input, retry: { initialMs: 20, ...retry } } },
});

test('6 answers of 429 use up none of 2 attempts', async () => {
  const record = await fleet.api.runToEnd({
    definition: definition({ times: 6, status: 429, retryAfterMs: 20 }, { maxAttempts: 2 }),
  });
  expect(record.run.status).toBe('succeeded');
  expect(record.steps).toMatchObject([{ attempts: 7 }]);
  expect(record.events.filter(({ type }) => type === 'attempt-failed')).toHaveLength(6);
  expect(findViolations(record)).toEqual([]);
}, 60_000);

test('a limit that lasts longer than rateLimitedMs fails the step with its last error', async () => {
  const record = await fleet.api.runToEnd({
    definition: definition({ times: 1000, status: 429, retryAfterMs: 50 }, { maxAttempts: 2, rateLimitedMs: 500 }),
  });
  expect(record.run).toMatchObject({ status: 'failed', error: { type: 'rate_limited' } });
  expect(findViolations(record)).toEqual([]);
}, 60_000);

test('other failures count as ever between rate limits', async () => {
  const step = { kind: 'task', use: 'limits-and-fails', retry: { maxAttempts: 2, initialMs: 1 } };
  const record = await fleet.api.runToEnd({ definition: { flotilla: 1, name: 'mixed', steps: { s: step } } });
  expect(record.run).toMatchObject({ status: 'failed', error: { code: 'STEP_FAILED' } });
  expect(record.steps).toMatchObject([{ attempts: 8 }]);
  expect(findViolations(record)).toEqual([]);
}, 60_000);
