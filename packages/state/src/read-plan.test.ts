import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { stateKey } from './keys.ts';
import type { CompilePlan, PlanShape } from './plan-shape.ts';
import { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf } from './testing/state-for-tests.ts';

const plan = shapeOf('read', [{ id: 'a' }]);
let connection: RedisConnection;
let namespace: string;
let tag: string;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
afterAll(() => closeConnection(connection));
beforeEach(async () => {
  namespace = testNamespace(import.meta.url);
  const state = createTestState(connection.client, namespace, [plan]);
  const { runId } = await state.createRun(requestOf(plan));
  tag = state.tagOf(runId);
});

const over = (compile: CompilePlan<PlanShape>) =>
  new State<PlanShape>({ client: connection.client, namespace, partitions: 2, compile });
const store = (text: string) => connection.client.hset(stateKey(tag, 'definition', plan.hash), 'text', text);

test.each([
  ['text that is no JSON', '{'],
  [
    'text that compiles and is not what the run was started with',
    JSON.stringify({ ...plan.definition, name: 'other' }),
  ],
])('a definition is damaged when its hash differs: %s', async (_what, text) => {
  await store(text);
  await expect(over(() => plan).readPlan(tag, plan.hash)).rejects.toMatchObject({ code: 'DATA_CORRUPTION' });
});

test('a definition that is gone is damaged', async () => {
  await connection.client.del(stateKey(tag, 'definition', plan.hash));
  await expect(over(() => plan).readPlan(tag, plan.hash)).rejects.toMatchObject({ code: 'DATA_CORRUPTION' });
});

test('a definition that is intact and does not compile here is not understood, and is not compiled for each step', async () => {
  let tries = 0;
  const state = over(() => {
    tries += 1;
    throw new TypeError('what is a saga?');
  });
  for (let times = 0; times < 3; times += 1) {
    await expect(state.readPlan(tag, plan.hash)).rejects.toMatchObject({
      code: 'DEFINITION_NOT_UNDERSTOOD',
      message: expect.stringContaining('what is a saga?'),
    });
  }
  expect(tries).toBe(1);
});
