import type { CancelReceipt } from '@flotilla/contracts';
import { eventually } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ECHO, startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
});
afterEach(async () => {
  await server.app.close();
});

async function untilCancelling(): Promise<void> {
  await eventually(() => server.api.cancelled.length > 0, { intervalMs: 1, message: 'the cancellation' });
}

describe('POST /v1/runs/{id}/cancel', () => {
  test.each([true, false])('answers with the receipt when the run has ended (hints: %s)', async (hintsAreSent) => {
    server.api.hintsAreSent = hintsAreSent;
    for (let index = 0; index < 40; index += 1)
      server.api.append('r1', { type: 'attempt-cancelled', stepId: 'earlier' });
    const answer = server.send('POST', '/v1/runs/r1/cancel', { reason: 'no longer needed' });
    await untilCancelling();
    server.api.append('r1', { type: 'attempt-cancelled', stepId: 'say' });
    server.api.append('r1', { type: 'attempt-cancelled', stepId: 'notify[3]' });
    server.api.append('r1', { type: 'step-cancelled', stepId: 'other' });
    server.api.finish('r1', 'cancelled');
    const { status, body } = await answer;
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'cancelled',
      receipt: {
        runId: 'r1',
        stoppedSteps: ['say', 'notify[3]'],
        pending: [],
        alreadyEnded: false,
        endedAt: expect.any(Number),
      },
    });
    expect(server.api.cancelled).toEqual([{ runId: 'r1', reason: 'no longer needed' }]);
  });

  test('lists each step once: as stopped, as ended by itself, as lost, or as let go while it waited', async () => {
    const { steps } = server.api.runs.get('r1')!;
    const [first] = steps;
    steps.splice(0);
    for (const stepId of ['stopped', 'deaf', 'failed', 'lost', 'waited', 'untouched']) {
      const begun = stepId === 'untouched' ? { reason: 'run-ended' } : { startedAt: 1, reason: 'run-ending' };
      steps.push({ ...first!, stepId, status: 'cancelled', ...begun });
    }
    const answer = server.send('POST', '/v1/runs/r1/cancel');
    await untilCancelling();
    server.api.append('r1', { type: 'attempt-cancelled', stepId: 'stopped' });
    server.api.append('r1', { type: 'attempt-cancelled', stepId: 'deaf', data: { reason: 'abandoned' } });
    server.api.append('r1', { type: 'attempt-failed', stepId: 'failed' });
    server.api.append('r1', { type: 'attempt-lost', stepId: 'lost' });
    server.api.finish('r1', 'cancelled');
    expect((await answer).body).toMatchObject({
      receipt: {
        ...{ stoppedSteps: ['stopped', 'deaf'], abandonedSteps: ['deaf'], finishedSteps: ['failed'] },
        ...{ lostSteps: ['lost'], released: ['waited'] },
      },
    });
  });

  test('says how many names its lists leave out', async () => {
    const { steps } = server.api.runs.get('r1')!;
    const [first] = steps;
    steps.splice(0);
    for (let index = 0; index < 10_003; index += 1) {
      steps.push({ ...first!, stepId: `waited-${index}`, status: 'cancelled', startedAt: 1, reason: 'run-ending' });
    }
    const answer = server.send('POST', '/v1/runs/r1/cancel');
    await untilCancelling();
    for (let index = 0; index < 12_000; index += 1)
      server.api.append('r1', { type: 'attempt-cancelled', stepId: `stopped-${index}` });
    server.api.finish('r1', 'cancelled');
    const { receipt } = (await answer).body as unknown as CancelReceipt;
    expect(receipt.omitted).toEqual({ stoppedSteps: 2000, released: 3 });
    expect([receipt.stoppedSteps.length, receipt.stoppedSteps.at(-1)]).toEqual([10_000, 'stopped-9999']);
    expect(receipt.released).toHaveLength(10_000);
    const again = await server.send('POST', '/v1/runs/r1/cancel');
    expect((again.body as unknown as CancelReceipt).receipt).toEqual(receipt);
  }, 20_000);

  test('answers after waitMs with what has not ended', async () => {
    server.api.runs.get('r1')!.steps[0]!.status = 'running';
    const { status, body } = await server.send('POST', '/v1/runs/r1/cancel?waitMs=50');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'cancelling',
      receipt: { pending: ['say'], stoppedSteps: [], alreadyEnded: false },
    });
  });

  test('says that a run had ended before, and how', async () => {
    server.api.finish('r1', 'succeeded');
    const { status, body } = await server.send('POST', '/v1/runs/r1/cancel');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'succeeded', receipt: { alreadyEnded: true, stoppedSteps: [] } });
  });

  test('a server that closes answers those who wait', async () => {
    const answer = server.send('POST', '/v1/runs/r1/cancel?waitMs=60000');
    await untilCancelling();
    await server.app.close();
    expect((await answer).body).toMatchObject({ status: 'cancelling' });
  });

  test.each([
    ['/v1/runs/r1/cancel?waitMs=-1', undefined],
    ['/v1/runs/r1/cancel?waitMs=1e9', undefined],
    ['/v1/runs/r1/cancel', { reason: 5 }],
    ['/v1/runs/r1/cancel', { why: 'x' }],
  ])('refuses %s %j', async (url, body) => {
    expect((await server.send('POST', url, body)).problem.code).toBe('VALIDATION_FAILED');
    expect(server.api.cancelled).toEqual([]);
  });
});

test('a run is paused and resumed', async () => {
  expect((await server.send('POST', '/v1/runs/r1/pause')).body).toEqual({ runId: 'r1', status: 'paused' });
  expect((await server.send('POST', '/v1/runs/r1/resume')).body).toEqual({ runId: 'r1', status: 'running' });
  server.api.finish('r1', 'succeeded');
  expect((await server.send('POST', '/v1/runs/r1/pause')).problem).toMatchObject({
    code: 'RUN_NOT_ACTIVE',
    status: 409,
  });
});

test.each(['cancel', 'pause', 'resume'])('%s of an unknown run answers 404', async (what) => {
  const { status, problem } = await server.send('POST', `/v1/runs/nope/${what}`);
  expect([status, problem.code]).toEqual([404, 'RUN_NOT_FOUND']);
});
