import type { StepDefinition } from '@flotilla/contracts';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Calm } from '../calm.ts';
import { FleetView } from '../decisions/fleet-view.ts';
import type { Loop } from './loop.ts';
import { createRelayLoop } from './relay-outbox.ts';
import { LoopWorld, NO_CHANNELS, NO_CHILDREN } from './testing/loop-world.ts';

/** A few kilobytes of definition and input whose results would take gigabytes when they are written out. */
const input = {
  list: Array.from({ length: 20_000 }, () => 0),
  obj: Object.fromEntries(Array.from({ length: 15_000 }, (_, index) => [`k${index}`, 1])),
};
const BOMB = 'run.input.list.map(x, {"x": run.input.obj})';
const work = { kind: 'task', use: 'work' } as const;

let world: LoopWorld;
let loop: Loop | undefined;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
  const { queues, blocking, logger } = world;
  const state = world.createState();
  const views = { fleet: new FleetView(state, { list: async () => [] }), breakers: world.createBreakerView() };
  loop = createRelayLoop({
    calm: new Calm(),
    state,
    queues,
    ...views,
    children: NO_CHILDREN,
    channels: NO_CHANNELS,
    blocking,
    schedulerId: 's-1',
    logger,
  });
  loop.start();
});
afterEach(async () => {
  await loop?.stop();
  await world.close();
});

describe('a submission whose result would be enormous', () => {
  test('fails its run where it is the output, and the runs beside it go on', async () => {
    const branch: StepDefinition = { kind: 'branch', cases: [{ when: 'false', to: 'b' }], otherwise: 'b' };
    const skipped = { ...work, when: 'false', needs: ['a'] };
    const { runId } = await world.start({ a: branch, b: skipped }, { output: `\${{ ${BOMB} }}` }, input);
    const other = await world.start(
      { a: { ...work, when: 'false' } },
      { output: '${{ size(run.input.list) }}' },
      input,
    );
    await eventually(async () => (await world.state.readRun(runId))?.status === 'failed');
    expect((await world.state.readRun(runId))?.error).toMatchObject({ code: 'EXPRESSION_FAILED' });
    await eventually(async () => (await world.state.readRun(other.runId))?.status === 'succeeded');
    expect((await world.state.readRun(other.runId))?.output).toBe(20_000);
  });

  test('fails the map whose items it is', async () => {
    const { runId } = await world.start({ a: { kind: 'map', over: BOMB, each: work } }, {}, input);
    await eventually(async () => (await world.state.readRun(runId))?.status === 'failed');
    expect((await world.state.readRun(runId))?.error).toMatchObject({ code: 'EXPRESSION_FAILED', stepId: 'a' });
  });

  test('is no trouble where only its size is asked for', async () => {
    await world.start({ a: { ...work, when: `size(${BOMB}) > 1` } }, {}, input);
    await eventually(() => world.queues.added.length === 1);
  });
});
