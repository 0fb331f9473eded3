import {
  AGENT_EVENT_TYPES,
  DEFAULT_RETRY_POLICY,
  ERROR_TYPES,
  legacyDefinitionZ,
  MAX_BACKOFF_MS,
} from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { backoffMs } from './backoff.ts';
import { outcomeOfFailedCall } from './breaker-outcome.ts';
import { classifyError } from './classify-error.ts';
import { compileWorkflow, DEFAULT_MAX_DEPTH } from './compile-workflow.ts';
import { decideRetry } from './decide-retry.ts';
import { DEFAULT_HEALTH_THRESHOLDS } from './judge-health.ts';

/** Codes, numbers and names as they stand in the document that Flotilla began with. */
const CLASSIFICATION = [
  ['ECONNRESET', 'retryable'],
  ['ETIMEDOUT', 'retryable'],
  ['ENOTFOUND', 'non_retryable'],
  ['EACCES', 'non_retryable'],
  ['RATE_LIMIT', 'rate_limited'],
  ['INSUFFICIENT_RESOURCES', 'resource_exhausted'],
] as const;
/** Of the package behind it, as far as they do not contradict the document. */
const MORE_CODES = [
  ...(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'].map((code) => [code, 'retryable']) as [string, string][]),
  ...(['EPERM', 'EAUTH', 'VALIDATION_ERROR', 'INVALID_INPUT', 'SCHEMA_VALIDATION_ERROR'].map((code) => [
    code,
    'non_retryable',
  ]) as [string, string][]),
  ...(['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM'].map((code) => [code, 'resource_exhausted']) as [string, string][]),
  ...(['TOO_MANY_REQUESTS', 'QUOTA_EXCEEDED'].map((code) => [code, 'rate_limited']) as [string, string][]),
];

describe('ORIGIN: error classification', () => {
  test.each([...CLASSIFICATION, ...MORE_CODES])('the code %s is %s', (code, type) => {
    const error = Object.assign(new Error('it broke'), { code });
    expect(classifyError(error)).toMatchObject({ type, code });
    expect(classifyError(new Error('outer', { cause: error }))).toMatchObject({ type, code });
  });

  test.each(['retryable', 'non_retryable', 'rate_limited', 'resource_exhausted'])('there is a type %s', (type) => {
    expect(ERROR_TYPES).toContain(type);
  });

  test.each([
    [400, 'non_retryable'],
    [422, 'non_retryable'],
    [401, 'non_retryable'],
    [403, 'non_retryable'],
    [404, 'non_retryable'],
    [409, 'non_retryable'],
    [410, 'non_retryable'],
    [429, 'rate_limited'],
    [500, 'retryable'],
    [502, 'retryable'],
    [503, 'retryable'],
    [504, 'timeout'],
    [507, 'resource_exhausted'],
  ])('the status %i is %s', (status, type) => {
    expect(classifyError(Object.assign(new Error('it broke'), { status })).type).toBe(type);
  });

  test('a dependency with insufficient resources counts against its breaker and is tried again', () => {
    const classification = classifyError(Object.assign(new Error('no'), { code: 'INSUFFICIENT_RESOURCES' }));
    expect(outcomeOfFailedCall(classification)).toBe('failure');
    const policy = {
      maxAttempts: 3,
      initialMs: 10,
      factor: 2,
      maxMs: 100,
      jitter: 'none',
      maxElapsedMs: 1000,
      rateLimitedMs: 1000,
    } as const;
    const question = { classification, policy, failures: 1, elapsedMs: 0, random: 0 };
    expect(decideRetry(question)).toMatchObject({ action: 'retry', delayMs: 10 });
  });
});

describe('ORIGIN: the cap of the backoff', () => {
  test('is 30,000 ms of whatever policy that does not name another one', () => {
    expect(MAX_BACKOFF_MS).toBe(30_000);
    const policy = { ...DEFAULT_RETRY_POLICY, initialMs: 1e9, factor: 10 };
    expect(backoffMs({ ...policy, jitter: 'none' }, 50, 0.99)).toBe(30_000);
    expect(backoffMs({ ...policy, jitter: 'full' }, 50, 0.999_999)).toBeLessThanOrEqual(30_000);
  });
});

describe('ORIGIN: the health of agents', () => {
  test.each([
    ['consecutiveFailures', 3],
    ['errorRate', 0.5],
    ['responseTimeMs', 10_000],
  ] as const)('%s is judged at %d', (threshold, value) => {
    expect(DEFAULT_HEALTH_THRESHOLDS[threshold]).toBe(value);
  });

  test('an agent that has not been seen for a minute has long been lost', () => {
    expect(DEFAULT_HEALTH_THRESHOLDS.lostAfterMs).toBeLessThanOrEqual(60_000);
  });

  test('agentUnhealthy is an event', () => {
    expect(AGENT_EVENT_TYPES).toContain('agent-unhealthy');
  });
});

describe('ORIGIN: validation', () => {
  test('workflows are at most 1,000 steps deep', () => {
    expect(DEFAULT_MAX_DEPTH).toBe(1000);
  });

  test('the document of the package is taken, with every option that it has', () => {
    const step = {
      ...{ id: 'a', name: 'A', kind: 'agent', input: { n: 1 }, agentId: 'x', toolAllowlist: ['t'] },
      ...{ retry: { maxRetries: 2, backoffMs: 10, jitter: true }, timeoutMs: 500, next: null },
    };
    const branch = { id: 'b', name: 'B', kind: 'branch', branches: [{ when: 'done', to: 'a' }] };
    const document = {
      ...{
        id: '7d9a1f3e-0000-4000-8000-000000000000',
        name: 'old',
        version: '1.0.0',
        entry: 'b',
        steps: { a: step, b: branch },
      },
      ...{ budget: { wallClockMs: 60_000, maxSteps: 5, costUSD: 1 }, metadata: { team: 'x' } },
    };
    expect(legacyDefinitionZ.parse(document)).toMatchObject(document);
    const compiled = compileWorkflow(document);
    expect(compiled.ok && compiled.plan).toMatchObject({ timeoutMs: 60_000 });
  });
});
