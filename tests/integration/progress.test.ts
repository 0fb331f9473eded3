import { fileURLToPath } from 'node:url';
import type { StepView } from '@flotilla/contracts';
import { closeConnection, connectRedis } from '@flotilla/redis';
import { eventually, type Fleet, sharedRedis, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const namespace = testNamespace(import.meta.url);
let fleet: Fleet;
beforeAll(async () => {
  const handlers = fileURLToPath(new URL('./fixtures/progress-handlers.ts', import.meta.url));
  fleet = await startFleet({ namespace, workerEnv: { FLOTILLA_HANDLERS: handlers } });
}, 60_000);
afterAll(() => fleet.stop());

const task = (use: string, more: object = {}) => ({ kind: 'task', use, ...more });
const workflow = (steps: object) => ({ definition: { flotilla: 1, name: 'progress', steps } });

async function stepOf(runId: string, id: string): Promise<StepView> {
  const found = (await fleet.api.steps(runId)).find(({ stepId }) => stepId === id);
  if (found === undefined) throw new Error(`there is no step ${id}`);
  return found;
}

test('what a heartbeat reports is shown with its step and by why, until the attempt has ended', async () => {
  const { runId } = await fleet.api.start(
    workflow({ first: task('flotilla.echo'), long: task('reports', { needs: ['first'] }) }),
  );
  await eventually(async () => (await stepOf(runId, 'long')).progress !== undefined, { timeoutMs: 20_000 });
  const reported = { done: 3, of: 10 };
  await eventually(async () => JSON.stringify((await stepOf(runId, 'long')).progress) === JSON.stringify(reported), {
    timeoutMs: 20_000,
  });
  expect(await stepOf(runId, 'long')).toMatchObject({
    status: 'running',
    progress: reported,
    progressAt: expect.any(Number),
  });
  expect(await stepOf(runId, 'first')).not.toHaveProperty('progress');
  const { gates } = await fleet.api.get<{ gates: { message: string }[] }>(`/v1/runs/${runId}/why`);
  expect(gates.map(({ message }) => message).join()).toContain('{"done":3,"of":10}');
  expect((await fleet.api.run(runId)).counts).toEqual({ steps: 2, settled: 1, running: 1 });

  await fleet.api.post(`/v1/runs/${runId}/cancel`);
  await fleet.api.waitForEnd([runId]);
  expect((await fleet.api.run(runId)).counts).toMatchObject({ steps: 2, settled: 2 });
  expect(await stepOf(runId, 'long')).not.toHaveProperty('progress');
  const connection = connectRedis(sharedRedis().url, 'commands', { name: 'progress-test' });
  try {
    const key = `{${namespace}}:progress:${fleet.workers[0]?.id}`;
    await eventually(async () => (await connection.client.exists(key)) === 0, { timeoutMs: 20_000 });
  } finally {
    await closeConnection(connection, 1000);
  }
}, 60_000);

test('progress that is too large to be shown is left out, with a line in the log, and costs the step nothing', async () => {
  const { runId } = await fleet.api.start(workflow({ long: task('reports-much') }));
  await fleet.workers[0]!.process.waitForLine(/progress of a heartbeat cannot be stored/, 20_000);
  expect(await stepOf(runId, 'long')).toMatchObject({ status: 'running' });
  expect(await stepOf(runId, 'long')).not.toHaveProperty('progress');
  await fleet.api.post(`/v1/runs/${runId}/cancel`);
}, 60_000);
