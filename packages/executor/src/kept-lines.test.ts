import { testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createExecutorWorld, type ExecutorWorld, work } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

const LIMIT_MS = 10_000;

test('what a handler logs is with its attempt when the attempt has ended, without secrets, also when it failed', async () => {
  const { runId, step } = await world.start({ a: work });
  const executor = world.createExecutor((_input, { logger }) => {
    logger.info({ order: 7, password: 'canary' }, 'begun');
    logger.error({}, 'it will fail');
    throw new Error('no');
  });
  await within(executor.runTask({ v: 1, i: [step('a')] }), LIMIT_MS, 'the attempt to end');
  const { lines, dropped } = await world.state.readStepLogs(runId, 'a', { after: -1, limit: 10 });
  expect(lines).toMatchObject([
    { seq: 0, stepId: 'a', attempt: 1, level: 'info', message: 'begun', fields: { order: 7 } },
    { seq: 1, stepId: 'a', attempt: 1, level: 'error', message: 'it will fail' },
  ]);
  expect(dropped).toBe(0);
  expect(JSON.stringify(lines)).not.toContain('canary');
});
