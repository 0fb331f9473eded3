import type { Json } from '@flotilla/contracts';
import { defineStep, type Handler } from '@flotilla/steps';
import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createExecutorWorld, type ExecutorWorld } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

test.each([
  ['its own attemptMs', { timeouts: { attemptMs: 90_000 } }, { url: 'http://example.org', timeoutMs: 90_000 }],
  ['no attemptMs', {}, { url: 'http://example.org' }],
])('the request of an http step with %s may take as long', async (_what, more, expected) => {
  const given: Json[] = [];
  const handler = defineStep({
    name: 'flotilla.http',
    run: (input: Json) => {
      given.push(input);
      return null;
    },
  }) as Handler;
  const abilities = { handlers: new Map([[handler.use, handler]]), queues: new Set(['default']) };
  const { step } = await world.start({ a: { kind: 'http', request: { url: 'http://example.org' }, ...more } });
  await world.createExecutor(() => null, { abilities }).runTask({ v: 1, i: [step('a')] });
  expect(given).toEqual([expected]);
});
