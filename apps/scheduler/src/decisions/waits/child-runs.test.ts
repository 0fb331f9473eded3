import { compileInPieces, type Plan, type PlanStep } from '@flotilla/engine';
import { testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { InputSchemas } from '../../http/input/input-schemas.ts';
import { PlanSource } from '../../http/plan-source.ts';
import { LoopWorld, NO_CHANNELS } from '../../loops/testing/loop-world.ts';
import { ChildRuns } from './child-runs.ts';
import { closeWaits } from './close-waits.ts';
import { startWait } from './start-wait.ts';

let world: LoopWorld;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await world.close();
});

const CHILD = { flotilla: 1, name: 'child', steps: { s: { kind: 'signal', name: 'go' } } } as const;

interface Parent {
  plan: Plan;
  runId: string;
  step: PlanStep;
  childId: string;
  children: ChildRuns;
}

/** A run whose only step has begun to wait for its child, which nobody has started yet. */
async function startParent(onParentEnd: 'cancel' | 'leave'): Promise<Parent> {
  const { runId, plan } = await world.start({ call: { kind: 'workflow', definition: CHILD, onParentEnd } });
  const step = plan.steps[0];
  if (step === undefined) throw new Error('the plan has no step');
  await startWait(world.state, plan, { runId, step, opening: 1 });
  const wait = await world.state.readWait(runId, '0');
  const inputs = new InputSchemas();
  const plans = new PlanSource({ api: world.state, compile: compileInPieces, maxDepth: 50, inputs });
  const children = new ChildRuns({ state: world.state, plans, inputs, maxInputBytes: 1000 });
  return { plan, runId, step, childId: wait?.subject ?? '', children };
}

/** What follows from a cancellation until its waits are closed. */
async function endParent({ plan, runId }: Parent): Promise<void> {
  await world.state.cancelRun(runId);
  await closeWaits({ state: world.state, channels: NO_CHANNELS }, plan, runId);
}

/** `act` takes the place of making the child. */
function atCreation(act: (create: () => Promise<unknown>) => Promise<void>): void {
  const create = world.state.createRun.bind(world.state);
  jest.spyOn(world.state, 'createRun').mockImplementationOnce(async (request) => {
    let created: Awaited<ReturnType<typeof create>> | undefined;
    await act(async () => {
      created = await create(request);
    });
    if (created === undefined) throw new Error('the child was not made');
    return created;
  });
}

const statusOf = async (runId: string) => (await world.state.readRun(runId))?.status;

describe('a child run whose parent ends while it is being started', () => {
  test('is cancelled when it is made after the waits were closed', async () => {
    const parent = await startParent('cancel');
    atCreation(async (create) => {
      await endParent(parent);
      await create();
    });
    await parent.children.start(parent.plan, parent.runId, parent.step);
    expect(await statusOf(parent.childId)).toBe('cancelled');
  });

  test('is cancelled by who repeats the entry when its maker has died', async () => {
    const parent = await startParent('cancel');
    atCreation(async (create) => {
      await endParent(parent);
      await create();
      throw new Error('the scheduler died');
    });
    await expect(parent.children.start(parent.plan, parent.runId, parent.step)).rejects.toThrow('died');
    expect(await statusOf(parent.childId)).toBe('pending');
    await parent.children.start(parent.plan, parent.runId, parent.step);
    expect(await statusOf(parent.childId)).toBe('cancelled');
  });

  test('is cancelled although the parent was retried before the entry is repeated', async () => {
    const parent = await startParent('cancel');
    atCreation(async (create) => {
      await endParent(parent);
      await create();
      throw new Error('the scheduler died');
    });
    await expect(parent.children.start(parent.plan, parent.runId, parent.step)).rejects.toThrow('died');
    await world.state.retryRun(parent.runId);
    await parent.children.start(parent.plan, parent.runId, parent.step);
    expect(await statusOf(parent.childId)).toBe('cancelled');
  });

  test('goes on when it is to be left', async () => {
    const parent = await startParent('leave');
    atCreation(async (create) => {
      await endParent(parent);
      await create();
    });
    await parent.children.start(parent.plan, parent.runId, parent.step);
    expect(await statusOf(parent.childId)).toBe('pending');
  });

  test('goes on as long as its parent does', async () => {
    const parent = await startParent('cancel');
    await parent.children.start(parent.plan, parent.runId, parent.step);
    await parent.children.start(parent.plan, parent.runId, parent.step);
    expect(await statusOf(parent.childId)).toBe('pending');
    await endParent(parent);
    expect(await statusOf(parent.childId)).toBe('cancelled');
  });
});
