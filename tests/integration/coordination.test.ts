import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import type { CancelReceipt } from '@flotilla/contracts';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** What coordinators that only look like one get wrong: docs/reference/regressions.md. */

const handlers = fileURLToPath(new URL('./fixtures/throwing-agents.ts', import.meta.url));
const QUEUED_MS = 1500;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workerEnv: { FLOTILLA_HANDLERS: handlers } });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

const define = (steps: object, more: object = {}) => ({ definition: { flotilla: 1, name: 'phases', steps, ...more } });

describe('C2 failures spread', () => {
  test('C2 a run whose every agent throws fails, says which and why, and makes nothing that needs them', async () => {
    const record = await fleet.api.runToEnd(
      define(
        {
          analysis: { kind: 'agent', capability: 'analysis' },
          testing: { kind: 'agent', capability: 'testing' },
          deployment: { kind: 'task', use: 'flotilla.echo', needs: ['analysis', 'testing'] },
        },
        { failFast: false },
      ),
    );
    expect(record.run).toMatchObject({ status: 'failed', error: { code: 'AGENT_GAVE_UP' } });
    const statuses = Object.fromEntries(record.steps.map(({ stepId, status }) => [stepId, status]));
    expect(statuses).toEqual({ analysis: 'failed', testing: 'failed', deployment: 'skipped' });
    expect(record.steps.filter(({ error }) => error?.code === 'AGENT_GAVE_UP')).toHaveLength(2);
    expect(findViolations(record)).toEqual([]);
  });

  test.each([
    ['all', 'skipped'],
    ['any', 'succeeded'],
    ['settled', 'succeeded'],
  ] as const)(
    'C2 a phase that asks for %s of its needs goes by that, and the failure still shows',
    async (join, ofLast) => {
      const record = await fleet.api.runToEnd(
        define(
          {
            works: { kind: 'task', use: 'flotilla.echo', input: { value: 1 } },
            fails: { kind: 'agent', capability: 'analysis' },
            last: { kind: 'task', use: 'flotilla.echo', needs: ['works', 'fails'], join },
          },
          { failFast: false },
        ),
      );
      expect(record.steps.find(({ stepId }) => stepId === 'last')?.status).toBe(ofLast);
      expect(record.run).toMatchObject({ status: 'failed', error: { code: 'AGENT_GAVE_UP', stepId: 'fails' } });
    },
  );
});

test('C3 work that no agent can do is told when it is submitted, and its run never ends as if it were done', async () => {
  const step = { kind: 'agent', capability: 'clairvoyance', timeouts: { queuedMs: QUEUED_MS } };
  const { runId, warnings } = await fleet.api.start(define({ vision: step }));
  expect(warnings).toMatchObject([{ path: '/steps/vision/capability' }]);
  await fleet.api.waitForEnd([runId], { timeoutMs: QUEUED_MS + 10_000 });
  const { run, events } = await fleet.api.record(runId);
  expect(run).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT', stepId: 'vision' } });
  expect(events.map(({ type }) => type)).not.toContain('attempt-started');
});

test('S1 a step that waits for its retry is not tried again when its run is cancelled', async () => {
  const retry = { maxAttempts: 5, initialMs: 3000, maxMs: 3000, jitter: 'none' };
  const step = { kind: 'task', use: 'flotilla.fail', input: { times: 4, status: 503 }, retry };
  const { runId } = await fleet.api.start(define({ step }));
  const scheduled = await fleet.api.waitForEvent(runId, ({ type }) => type === 'retry-scheduled');
  const receipt = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel`, { reason: 'enough' });
  expect(receipt.status).toBe('cancelled');
  // A run that is made after it and waits longer: by its end the retry would have begun.
  await fleet.api.runToEnd(define({ wait: { kind: 'delay', forMs: 4000 } }));
  const { events } = await fleet.api.record(runId);
  expect(events.filter(({ type, seq }) => type === 'attempt-started' && seq > scheduled.seq)).toEqual([]);
});
