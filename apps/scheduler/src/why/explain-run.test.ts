import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LoopWorld } from '../loops/testing/loop-world.ts';
import { explainRun } from './explain-run.ts';

let world: LoopWorld;
beforeAll(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterAll(() => world.close());

test('a run that is being opened again waits for that, and for nothing that its steps say of the opening before', async () => {
  const { state, queues } = world;
  const { runId, plan, key } = await world.start({
    a: { kind: 'task', use: 'work' },
    b: { kind: 'task', use: 'work', needs: ['a'] },
  });
  const { fence, createdAt } = await world.claim(runId, plan, key('a'), 'attempt-1');
  expect(await world.failAttempt(runId, key('a'), 'attempt-1', fence, createdAt, undefined)).toBeDefined();
  expect((await state.readRun(runId))?.status).toBe('failed');
  const dependencies = {
    ...{ state, queues },
    listAgents: () => Promise.resolve([]),
    readBreakers: () => Promise.resolve(new Map()),
  };
  await state.retryRun(runId);
  const { events } = await state.readHistory(runId, { after: -1, limit: 100 });
  const since = events.findLast(({ type }) => type === 'run-retried')!.at;
  const { status, gates } = await explainRun(dependencies, runId, { limit: 50 });
  expect(status).toBe('pending');
  expect(gates).toEqual([
    { gate: 'reopening', subject: runId, since, message: expect.stringContaining('is being opened again') },
  ]);
  await state.transitions.reopenRun(world.tag, runId, 2, {
    endPending: 1,
    failureJson: undefined,
    timeoutMs: undefined,
  });
  const after = await explainRun(dependencies, runId, { limit: 50 });
  expect(after.gates.map(({ gate }) => gate)).not.toContain('reopening');
});
