import type { WorkflowDefinition } from '@flotilla/contracts';
import type { StepContext, UsedByStep } from '@flotilla/steps';
import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createExecutorWorld, type ExecutorWorld, work } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

/** A run of one step that uses something. */
async function run(use: (context: StepContext) => Promise<unknown>, budget: WorkflowDefinition['budget'] = {}) {
  const { runId, step } = await world.start({ a: work }, { budget });
  const executor = world.createExecutor(async (_input, context) => {
    await use(context);
    return null;
  });
  await executor.runTask({ v: 1, i: [step('a')] });
  const { costMicros, tokens } = await world.state.run(runId).readUsage();
  const { steps } = await world.state.listSteps(runId, { limit: 1 });
  return { used: { costMicros, tokens }, step: steps[0] };
}

describe('what an attempt has used', () => {
  test('is counted for its run, all together, also when it is told side by side', async () => {
    const { used } = await run(({ usage: { add } }) =>
      Promise.all([add({ costUSD: 0.25 }), add({ tokens: 7 }), add({ costUSD: 0.1, tokens: 3 })]),
    );
    expect(used).toEqual({ costMicros: 350_000, tokens: 10 });
  });

  test('is counted when the attempt fails afterwards', async () => {
    const { used, step } = await run(async ({ usage }) => {
      await usage.add({ costUSD: 0.25 });
      throw new Error('after it has spent');
    });
    expect(step).toMatchObject({ status: 'failed' });
    expect(used).toEqual({ costMicros: 250_000, tokens: 0 });
  });

  test('is counted to a millionth of a dollar, never too little', async () => {
    const { used } = await run(async ({ usage }) => {
      for (let call = 0; call < 3; call += 1) await usage.add({ costUSD: 0.000_000_1 });
      await usage.add({ costUSD: 0.3 });
    });
    expect(used).toEqual({ costMicros: 300_003, tokens: 0 });
  });

  test.each<[string, WorkflowDefinition['budget'], UsedByStep]>([
    ['dollars', { costUSD: 1 }, { costUSD: 0.6 }],
    ['tokens', { tokens: 100 }, { tokens: 60 }],
  ])('fails the attempt for good that exceeds the budget of %s, and is counted', async (_what, budget, each) => {
    let calls = 0;
    const { used, step } = await run(async ({ usage }) => {
      for (;;) {
        await usage.add(each);
        calls += 1;
      }
    }, budget);
    expect(calls).toBe(1);
    expect(step).toMatchObject({ status: 'failed', error: { code: 'BUDGET_EXCEEDED', type: 'non_retryable' } });
    expect(used).toEqual({ costMicros: (each.costUSD ?? 0) * 2_000_000, tokens: (each.tokens ?? 0) * 2 });
  });

  test('pauses the run each time that it is more than another budget, where the definition says so', async () => {
    const statuses: (string | undefined)[] = [];
    const { used, step } = await run(
      async ({ usage, runId }) => {
        const { state } = world;
        for (let call = 0; call < 5; call += 1) {
          await usage.add({ costUSD: 0.6 });
          const status = (await state.readRun(runId))?.status;
          statuses.push(status);
          if (status === 'paused') await state.resumeRun(runId);
        }
      },
      { costUSD: 1, onExceeded: 'pause' },
    );
    // 0.6, 1.2, 1.8, 2.4, 3.0
    expect(statuses).toEqual(['running', 'paused', 'running', 'paused', 'running']);
    expect(step).toMatchObject({ status: 'succeeded' });
    expect(used).toEqual({ costMicros: 3_000_000, tokens: 0 });
  });

  test.each([
    ['a negative amount', { costUSD: -1 }],
    ['no number', { costUSD: Number.NaN }],
    ['half a token', { tokens: 0.5 }],
    ['what is not known', { cost: 1 } as UsedByStep],
  ])('is refused when it is %s', async (_what, given) => {
    const { step, used } = await run(({ usage }) => usage.add(given));
    expect(step).toMatchObject({ status: 'failed', error: { code: 'USAGE_INVALID' } });
    expect(used).toEqual({ costMicros: 0, tokens: 0 });
  });
});

test('what an attempt tells again, because the answer was lost, is counted once', async () => {
  const { runId } = await world.start({ a: work });
  const address = { tag: world.state.tagOf(runId), runId, key: '0', fence: 5, createdAt: 0, attemptId: 'x' };
  const count = (costMicros: number) => world.state.transitions.countUsage(address, { costMicros, tokens: 1 });
  for (let call = 0; call < 3; call += 1) expect(await count(10)).toEqual({ costMicros: 10, tokens: 1 });
  expect(await count(15)).toEqual({ costMicros: 15, tokens: 1 });
});
