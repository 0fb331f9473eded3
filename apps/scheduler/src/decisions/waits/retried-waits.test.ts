import { testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LoopWorld } from '../../loops/testing/loop-world.ts';
import { reopenRun } from '../reopen-run.ts';
import { startWait } from './start-wait.ts';

let world: LoopWorld;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterEach(() => world.close());

test('a wait that nobody has closed when its run is retried takes one signal', async () => {
  const { state } = world;
  const { runId, plan } = await world.start({ a: { kind: 'signal', name: 'go' } });
  const [step] = plan.steps;
  if (step === undefined) throw new Error('the plan has no step');
  await startWait(state, plan, { runId, step, opening: 1 });
  await state.cancelRun(runId);
  expect(await state.retryRun(runId)).toMatchObject({ opening: 2 });
  await reopenRun(state, plan, runId, 2);
  const send = (body: number) => state.sendSignal(runId, { name: 'go', body, idempotencyKey: undefined });
  expect(await send(1)).toMatchObject({ deliveredTo: 'a' });
  expect((await send(2)).deliveredTo).toBeUndefined();
  expect(await state.readWait(runId, '0')).toMatchObject({ answer: '0', message: 1 });
});
