import { testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LoopWorld } from '../loops/testing/loop-world.ts';
import { readUsage } from './read-usage.ts';

let world: LoopWorld;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterEach(() => world.close());

const steps = { a: { kind: 'task', use: 'work' } } as const;

test('what attempts of a run have used is told beside what its budget allows', async () => {
  const { runId } = await world.start(steps, { budget: { costUSD: 2, tokens: 1000 } });
  const budget = { costUSD: 2, tokens: 1000 };
  expect(await readUsage(world.state, runId)).toEqual({ runId, costUSD: 0, tokens: 0, budget });
  const attempt = { tag: world.tag, runId, key: '0', createdAt: 0, attemptId: 'x' };
  await world.state.transitions.countUsage({ ...attempt, fence: 1 }, { costMicros: 250_000, tokens: 10 });
  await world.state.transitions.countUsage({ ...attempt, fence: 2 }, { costMicros: 500_000, tokens: 5 });
  expect(await readUsage(world.state, runId)).toEqual({ runId, costUSD: 0.75, tokens: 15, budget });
});

test('of a run without a budget only what it has used is told, and of none nothing', async () => {
  const { runId } = await world.start(steps);
  expect(await readUsage(world.state, runId)).toEqual({ runId, costUSD: 0, tokens: 0 });
  await expect(readUsage(world.state, '00-nothere')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
});
