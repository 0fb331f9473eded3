import type { Gate, Why, WorkflowDefinition } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** One worker with two slots: what does not fit waits. */
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), env: { FLOTILLA_CONCURRENCY: '2' } });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

const sleep = (ms: number, more: object = {}) => ({ kind: 'task', use: 'flotilla.sleep', input: { ms }, ...more });
const LONG_MS = 60_000;

async function start(steps: Record<string, object>): Promise<string> {
  const definition = { flotilla: 1, name: 'held', steps } as unknown as WorkflowDefinition;
  return (await fleet.api.start({ definition })).runId;
}

const why = (runId: string, query = ''): Promise<Why> => fleet.api.get<Why>(`/v1/runs/${runId}/why${query}`);

/** The gate of a kind, as soon as it is told. */
function gateOf(runId: string, kind: Gate['gate'], stepId?: string): Promise<Gate> {
  return eventually(async () => (await why(runId)).gates.find((gate) => gate.gate === kind && gate.stepId === stepId), {
    timeoutMs: 10_000,
    message: `a gate ${kind} of ${stepId ?? 'the run'}`,
  });
}

async function cancel(runId: string): Promise<void> {
  await fleet.api.post(`/v1/runs/${runId}/cancel?waitMs=10000`, {});
}

describe('why', () => {
  test('names the step that is needed, and the worker that makes it', async () => {
    const runId = await start({ first: sleep(LONG_MS), second: sleep(1, { needs: ['first'] }) });
    const lease = await gateOf(runId, 'lease', 'first');
    expect(lease.until).toBeGreaterThan(lease.since);
    const dependency = await gateOf(runId, 'dependency', 'second');
    expect(dependency).toMatchObject({ subject: 'first', message: expect.stringContaining('running') });
    const only = await why(runId, '?stepId=second');
    expect(only.gates.map(({ stepId }) => stepId)).toEqual(['second']);
    await cancel(runId);
    expect(await why(runId)).toMatchObject({ status: 'cancelled', gates: [] });
  });

  test('names the timer of a delay and of a retry, and when they end', async () => {
    const runId = await start({
      cool: { kind: 'delay', forMs: LONG_MS },
      retried: {
        kind: 'task',
        use: 'flotilla.fail',
        input: { times: 5, code: 'ECONNRESET' },
        retry: { maxAttempts: 9, initialMs: 20_000, jitter: 'none' },
      },
    });
    const delay = await gateOf(runId, 'timer', 'cool');
    expect(delay).toMatchObject({ subject: 'delay', until: delay.since + LONG_MS });
    const retry = await gateOf(runId, 'timer', 'retried');
    expect(retry).toMatchObject({ subject: 'retry', message: 'waits for attempt 2 after ECONNRESET' });
    expect(retry.until).toBeGreaterThan(retry.since);
    await cancel(runId);
  });

  test('names the handler that no worker has, and the queue that none serves', async () => {
    const runId = await start({
      unknown: { kind: 'task', use: 'nobody.has-it' },
      limited: { kind: 'task', use: 'nobody.has-it', timeouts: { queuedMs: LONG_MS } },
      elsewhere: sleep(1, { queue: 'unserved' }),
    });
    const unknown = await gateOf(runId, 'handler', 'unknown');
    expect(unknown).toMatchObject({ subject: 'nobody.has-it' });
    // When somebody looks at it again is no end of its wait; queuedMs is.
    expect(unknown).not.toHaveProperty('until');
    // From when it is parked: before that, it stands in the queue.
    const until = await eventually(async () => (await gateOf(runId, 'handler', 'limited')).until, {
      timeoutMs: 10_000,
      message: 'until when a parked step waits',
    });
    expect(until).toBeGreaterThan(unknown.since + LONG_MS / 2);
    expect(await gateOf(runId, 'handler', 'elsewhere')).toMatchObject({ subject: 'unserved' });
    await cancel(runId);
  });

  test('names the queue with the place in it, and the slots that are taken', async () => {
    const busy = await start({ one: sleep(LONG_MS), two: sleep(LONG_MS) });
    await gateOf(busy, 'lease', 'one');
    await gateOf(busy, 'lease', 'two');
    const runId = await start({ late: sleep(1), later: sleep(1) });
    const queue = await gateOf(runId, 'queue', 'late');
    expect(queue).toMatchObject({ subject: 'default', message: expect.stringMatching(/as the next one|behind \d+/) });
    // The worker tells its load with its heartbeat.
    expect(await gateOf(runId, 'concurrency', 'late')).toMatchObject({
      message: expect.stringContaining('all 2 slots'),
    });
    await cancel(busy);
    await cancel(runId);
  });

  test('names the map that makes as many items at once as it may', async () => {
    const each = { kind: 'task', use: 'flotilla.sleep', input: { ms: LONG_MS } };
    const runId = await start({ all: { kind: 'map', over: '[1, 2, 3]', concurrency: 1, each } });
    expect(await gateOf(runId, 'concurrency', 'all')).toMatchObject({ message: expect.stringContaining('1 items') });
    expect(await gateOf(runId, 'lease', 'all[0]')).toMatchObject({ gate: 'lease' });
    await cancel(runId);
  });

  test('names the pause of the run, and no queue or slot that its steps would wait for otherwise', async () => {
    const busy = await start({ one: sleep(LONG_MS), two: sleep(LONG_MS) });
    await gateOf(busy, 'lease', 'one');
    await gateOf(busy, 'lease', 'two');
    const runId = await start({ late: sleep(1) });
    await gateOf(runId, 'queue', 'late');
    await fleet.api.post(`/v1/runs/${runId}/pause`, {});
    const pause = await gateOf(runId, 'pause');
    const { now, gates } = await why(runId);
    expect(gates).toEqual([pause]);
    const { events } = await fleet.api.record(runId);
    expect(pause.since).toBe(events.find(({ type }) => type === 'run-paused')?.at);
    expect(now).toBeGreaterThanOrEqual(pause.since);
    await cancel(busy);
    await cancel(runId);
  });

  test('names the breaker that is open, and who has to close it', async () => {
    await fleet.api.post('/v1/breakers/payments-api/open', {});
    const runId = await start({ charge: sleep(1, { breaker: 'payments-api' }) });
    expect(await gateOf(runId, 'breaker', 'charge')).toMatchObject({
      subject: 'payments-api',
      message: expect.stringMatching(/breaker open since .* UTC, until somebody closes it, 1 step parked/),
    });
    await fleet.api.post('/v1/breakers/payments-api/close', {});
    await cancel(runId);
  });

  test('names the end of a run, and what its cleanup waits for', async () => {
    const runId = await start({
      booked: sleep(1, { compensate: { use: 'nobody.has-it' } }),
      long: sleep(LONG_MS, { needs: ['booked'] }),
    });
    await gateOf(runId, 'lease', 'long');
    const before = (await why(runId)).now;
    await fleet.api.post(`/v1/runs/${runId}/cancel?waitMs=0`, {});
    const ending = await gateOf(runId, 'ending');
    expect(ending.since).toBeGreaterThanOrEqual(before);
    const message = expect.stringContaining('its compensation nobody.has-it: waits for a worker');
    expect(await gateOf(runId, 'handler', 'booked')).toMatchObject({ subject: 'nobody.has-it', message });
    expect((await why(runId, '?stepId=long')).gates.map(({ gate }) => gate)).toEqual(['ending']);
  });

  test('of what is not there is a typed error', async () => {
    await expect(why('00-nothing')).rejects.toMatchObject({ message: expect.stringContaining('RUN_NOT_FOUND') });
    const runId = await start({ first: { kind: 'delay', forMs: LONG_MS } });
    await expect(why(runId, '?stepId=second')).rejects.toMatchObject({
      message: expect.stringContaining('STEP_NOT_FOUND'),
    });
    await cancel(runId);
  });
});
