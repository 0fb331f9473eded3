import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { attemptSpanIdOf, runSpanIdOf, traceIdOf } from '@flotilla/telemetry';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { OtlpReceiver } from './otlp-receiver.ts';

const CANARY = 'canary-8f1c2d';
const FLOTILLA_HANDLERS = fileURLToPath(new URL('fixtures/traced-handlers.ts', import.meta.url));
const STEPS = 10;
const KILLED_IN = 5;
/** For as long as it takes to hear of its beginning and to kill its worker. */
const LONG_MS = 5000;
/** Of a lost attempt: its lease, and who looks for it. */
const LOSS_MS = 60_000;

function chain(length: number, msOf: (index: number) => number): object {
  const steps = Object.fromEntries(
    Array.from({ length }, (_, index) => [
      `s${index}`,
      {
        kind: 'task',
        use: 'traced.work',
        input: { ms: msOf(index), secret: CANARY },
        ...(index > 0 && { needs: [`s${index - 1}`] }),
      },
    ]),
  );
  return { flotilla: 1, name: 'traced-chain', steps };
}

let receiver: OtlpReceiver;
let fleet: Fleet;
const secretsIn = (bodies: readonly Buffer[]) => bodies.filter((body) => body.includes(CANARY)).length;

describe('spans, as an OTLP backend gets them', () => {
  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    const env = {
      FLOTILLA_HANDLERS,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    };
    fleet = await startFleet({ namespace: testNamespace(import.meta.url), schedulers: 2, workers: 2, env });
  }, 60_000);
  afterAll(async () => {
    await fleet?.stop();
    await receiver?.stop();
  });

  test('one trace goes from the caller to the last of 10 steps, although a worker is killed in the middle', async () => {
    const traceId = randomBytes(16).toString('hex');
    const callerSpan = randomBytes(8).toString('hex');
    const started = await fleet.api.request<{ runId: string }>(
      'POST',
      '/v1/runs',
      { definition: chain(STEPS, (index) => (index === KILLED_IN ? LONG_MS : 20)) },
      { headers: { traceparent: `00-${traceId}-${callerSpan}-01` } },
    );
    const { runId } = started.body;
    const { worker } = await fleet.api.waitForEvent(runId, (event) => {
      return event.type === 'attempt-started' && event.stepId === `s${KILLED_IN}`;
    });
    await fleet.workers.find(({ id }) => id === worker)!.kill9();
    await fleet.api.waitForEnd([runId], { timeoutMs: LOSS_MS });
    const { events } = await fleet.api.record(runId);
    const attempts = events.flatMap(({ type, attemptId }) => (type === 'attempt-started' ? [attemptId!] : []));
    expect(events.filter(({ type }) => type === 'attempt-lost')).toHaveLength(1);
    await eventually(async () => receiver.ofTrace(traceId, 'flotilla.run').length === 1, { timeoutMs: 20_000 });

    const [run] = receiver.ofTrace(traceId, 'flotilla.run');
    expect(run).toMatchObject({ parentSpanId: callerSpan, spanId: runSpanIdOf(runId), service: 'flotilla-scheduler' });
    expect(run!.attributes).toMatchObject({
      'workflow.id': runId,
      'workflow.name': 'traced-chain',
      'workflow.status': 'succeeded',
    });
    const told = () => new Map(receiver.ofTrace(traceId, 'flotilla.attempt').map((span) => [span.spanId, span]));
    await eventually(async () => told().size >= attempts.length, { timeoutMs: 20_000 });
    // What the killed worker had sent shortly before may be told again, by the same id.
    const spans = [...told().values()];
    expect(spans.map(({ spanId }) => spanId).sort()).toEqual(attempts.map(attemptSpanIdOf).sort());
    expect(new Set(spans.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([runSpanIdOf(runId)]));
    const outcomes = spans.map(({ attributes }) => attributes['execution.outcome']);
    expect(outcomes.filter((outcome) => outcome === 'lost')).toHaveLength(1);
    expect(new Set(spans.map(({ attributes }) => attributes['agent.id'])).size).toBe(2);
    for (const { startedAtMs, endedAtMs } of spans) {
      expect(startedAtMs).toBeGreaterThanOrEqual(run!.startedAtMs);
      expect(endedAtMs).toBeLessThanOrEqual(run!.endedAtMs);
    }
  }, 120_000);

  test('what a library makes in a handler stands under the attempt, without its secrets', async () => {
    const { runId } = await fleet.api.start({ definition: chain(1, () => 1) });
    await fleet.api.waitForEnd([runId]);
    const traceId = traceIdOf(runId);
    await eventually(async () => receiver.ofTrace(traceId).length >= 3, { timeoutMs: 20_000 });
    const [attempt] = receiver.ofTrace(traceId, 'flotilla.attempt');
    const [library] = receiver.ofTrace(traceId, 'call of a library');
    expect(library).toMatchObject({ parentSpanId: attempt!.spanId, scope: 'some-library' });
    expect(library!.attributes['password']).toBe('[redacted]');
    expect(library!.attributes['http.url']).not.toContain(CANARY);
    expect(attempt!.attributes['resource.memory.bytes']).toBeGreaterThan(1_000_000);
    const lines = fleet.workers.flatMap(({ process }) => process.lines).filter((line) => line.includes(runId));
    expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual(
      expect.objectContaining({ msg: 'the work begins', runId, trace_id: traceId, span_id: attempt!.spanId }),
    );
    expect(await fleet.api.get<object>(`/v1/runs/${runId}`)).toMatchObject({ traceId });
  });

  test('a failed attempt says its code and not its message', async () => {
    const { runId } = await fleet.api.start({
      definition: {
        flotilla: 1,
        name: 'fails',
        steps: { only: { kind: 'task', use: 'traced.fails', input: { secret: CANARY } } },
      },
    });
    await fleet.api.waitForEnd([runId]);
    const traceId = traceIdOf(runId);
    await eventually(async () => receiver.ofTrace(traceId).length >= 2, { timeoutMs: 20_000 });
    const [attempt] = receiver.ofTrace(traceId, 'flotilla.attempt');
    expect(attempt).toMatchObject({
      isError: true,
      attributes: { 'error.code': 'NOT_TODAY', 'execution.outcome': 'fail' },
    });
    expect(receiver.ofTrace(traceId, 'flotilla.run')).toMatchObject([{ isError: true, parentSpanId: undefined }]);
  });

  test('every run and every attempt of 200 runs has one span', async () => {
    const runIds = await Promise.all(
      Array.from({ length: 200 }, async () => (await fleet.api.start({ definition: chain(3, () => 1) })).runId),
    );
    await fleet.api.waitForEnd(runIds, { timeoutMs: 60_000 });
    const traces = runIds.map(traceIdOf);
    const count = (name: string) => traces.reduce((sum, traceId) => sum + receiver.ofTrace(traceId, name).length, 0);
    await eventually(async () => count('flotilla.run') >= 200 && count('flotilla.attempt') >= 600, {
      timeoutMs: 30_000,
    });
    expect(traces.filter((traceId) => receiver.ofTrace(traceId, 'flotilla.run').length !== 1)).toEqual([]);
    expect(traces.filter((traceId) => receiver.ofTrace(traceId, 'flotilla.attempt').length !== 3)).toEqual([]);
  }, 120_000);

  test('nothing secret was sent, and nothing but traces', () => {
    expect(receiver.bodies.length).toBeGreaterThan(0);
    expect(secretsIn(receiver.bodies)).toBe(0);
    expect([...receiver.paths]).toEqual(['/v1/traces']);
  });
});

test('at the level full, commands of Redis that an attempt sends are spans of its trace, also as Protobuf', async () => {
  const backend = await OtlpReceiver.start();
  const full = await startFleet({
    namespace: testNamespace(`${import.meta.url}#full`),
    env: {
      FLOTILLA_HANDLERS,
      FLOTILLA_TELEMETRY: 'full',
      OTEL_EXPORTER_OTLP_ENDPOINT: backend.url,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  });
  try {
    const { runId } = await full.api.start({ definition: chain(2, () => 1) });
    await full.api.waitForEnd([runId]);
    const traceId = Buffer.from(traceIdOf(runId), 'hex');
    const hasCommands = (body: Buffer) => body.includes('instrumentation-ioredis') && body.includes(traceId);
    await eventually(async () => backend.bodies.some(hasCommands), { timeoutMs: 20_000 });
    await eventually(async () => backend.bodies.some((body) => body.includes('flotilla.run')), { timeoutMs: 20_000 });
    expect(secretsIn(backend.bodies)).toBe(0);
    expect(backend.spans).toEqual([]);
  } finally {
    await full.stop();
    await backend.stop();
  }
}, 60_000);

test('with telemetry off nothing is sent, although an endpoint is named', async () => {
  const backend = await OtlpReceiver.start();
  const off = await startFleet({
    namespace: testNamespace(`${import.meta.url}#off`),
    env: { FLOTILLA_HANDLERS, FLOTILLA_TELEMETRY: 'off', OTEL_EXPORTER_OTLP_ENDPOINT: backend.url },
  });
  const { runId } = await off.api.start({ definition: chain(2, () => 1) });
  await off.api.waitForEnd([runId]);
  // Ending, processes send whatever they have.
  await off.stop();
  await backend.stop();
  expect(backend.bodies).toEqual([]);
}, 60_000);
