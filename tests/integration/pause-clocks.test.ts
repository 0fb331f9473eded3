import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** What a pause does to each clock of a run, as docs/reference/definition.md says it. */

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url) });
}, 60_000);
afterAll(() => fleet.stop());

/** In these a busy machine, too, pauses a run that has begun, and gives one that goes on a worker. */
const LIMIT_MS = 2500;
const WAIT_MS = 1200;
const wait = { kind: 'delay', forMs: WAIT_MS };

async function startPaused(steps: object, more: object = {}): Promise<string> {
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'paused', steps, ...more } });
  await fleet.api.post(`/v1/runs/${runId}/pause`);
  return runId;
}

const hasEvent = (runId: string, type: string, stepId?: string) =>
  fleet.api.waitForEvent(runId, (event) => event.type === type && (stepId === undefined || event.stepId === stepId));

/** Runs of their own, one after the other, until so much time has passed. */
async function pass(ms: number): Promise<void> {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt) {
    await fleet.api.runToEnd({
      definition: { flotilla: 1, name: 'time', steps: { t: { kind: 'delay', forMs: 100 } } },
    });
  }
}

describe('while a run is paused', () => {
  test('queuedMs does not run, and begins anew when it is resumed', async () => {
    const work = { kind: 'task', use: 'flotilla.echo', needs: ['wait'], timeouts: { queuedMs: LIMIT_MS } };
    const runId = await startPaused({ wait, work });
    await hasEvent(runId, 'step-succeeded', 'wait');
    await pass(LIMIT_MS + 500);
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'paused' });
    await fleet.api.post(`/v1/runs/${runId}/resume`);
    await fleet.api.waitForEnd([runId]);
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'succeeded' });
  }, 60_000);

  test('queuedMs still ends the wait for a worker once it is resumed', async () => {
    const work = { kind: 'task', use: 'nobody.has-this', needs: ['wait'], timeouts: { queuedMs: LIMIT_MS } };
    const runId = await startPaused({ wait, work });
    await hasEvent(runId, 'step-succeeded', 'wait');
    await pass(LIMIT_MS + 500);
    await fleet.api.post(`/v1/runs/${runId}/resume`);
    await fleet.api.waitForEnd([runId], { timeoutMs: 60_000 });
    const { run, events } = await fleet.api.record(runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT' } });
    const [resumed, failed] = ['run-resumed', 'step-failed'].map((type) => events.find((event) => event.type === type));
    expect(failed!.at - resumed!.at).toBeGreaterThanOrEqual(LIMIT_MS);
  }, 90_000);

  test('a delay goes on and ends', async () => {
    const runId = await startPaused({ wait });
    await hasEvent(runId, 'step-succeeded', 'wait');
  }, 60_000);

  test('totalMs goes on and fails the step', async () => {
    const work = { kind: 'task', use: 'flotilla.echo', needs: ['wait'], timeouts: { totalMs: LIMIT_MS } };
    const runId = await startPaused({ wait, work });
    await fleet.api.waitForEnd([runId]);
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT', stepId: 'work' } });
  }, 60_000);

  test('the time limit of the run goes on and ends it', async () => {
    const work = { kind: 'task', use: 'flotilla.echo', needs: ['wait'] };
    const runId = await startPaused({ wait, work }, { timeoutMs: LIMIT_MS });
    await fleet.api.waitForEnd([runId]);
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'timed-out' });
  }, 60_000);

  test('an attempt that is under way goes on, with its attemptMs', async () => {
    const slow = { kind: 'task', use: 'flotilla.sleep', retry: { maxAttempts: 1 } };
    const steps = {
      ends: { ...slow, input: { ms: WAIT_MS } },
      overdue: { ...slow, input: { ms: 60_000 }, timeouts: { attemptMs: WAIT_MS } },
    };
    // Both to their own end, whichever comes first.
    const definition = { flotilla: 1, name: 'paused', failFast: false, steps };
    const { runId } = await fleet.api.start({ definition });
    for (const id of ['ends', 'overdue']) await hasEvent(runId, 'attempt-started', id);
    await fleet.api.post(`/v1/runs/${runId}/pause`);
    await hasEvent(runId, 'attempt-timed-out', 'overdue');
    await fleet.api.waitForEnd([runId]);
    const { events } = await fleet.api.record(runId);
    expect(events.some(({ type, stepId }) => type === 'attempt-succeeded' && stepId === 'ends')).toBe(true);
  }, 60_000);

  test('a backoff goes on; the next attempt starts when the run is resumed', async () => {
    const work = {
      ...{ kind: 'task', use: 'flotilla.fail', input: { times: 1 } },
      retry: { maxAttempts: 2, initialMs: WAIT_MS, jitter: 'none' },
    };
    const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'paused', steps: { work } } });
    await hasEvent(runId, 'retry-scheduled', 'work');
    await fleet.api.post(`/v1/runs/${runId}/pause`);
    await pass(LIMIT_MS);
    expect((await fleet.api.history(runId)).filter(({ type }) => type === 'attempt-started')).toHaveLength(1);
    await fleet.api.post(`/v1/runs/${runId}/resume`);
    await fleet.api.waitForEnd([runId]);
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'succeeded' });
  }, 60_000);
});
