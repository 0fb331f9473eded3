import type { AgentView } from '@flotilla/contracts';
import { stateKey } from '@flotilla/state';
import { agentViewWith, eventually, testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Calm } from '../calm.ts';
import { FleetView } from '../decisions/fleet-view.ts';
import { createFireDueLoop } from './fire-due.ts';
import type { Loop } from './loop.ts';
import { createRelayLoop } from './relay-outbox.ts';
import { LoopWorld, NO_CHANNELS, NO_CHILDREN } from './testing/loop-world.ts';
import { createWatchFleetLoop } from './watch-fleet.ts';

let world: LoopWorld;
let fleet: FleetView;
let loops: Loop[] = [];
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
  serveWith('known');
  fleet = new FleetView(world.state, { list: async () => agents });
  await fleet.refresh();
});
afterEach(async () => {
  await Promise.all(loops.map((loop) => loop.stop()));
  loops = [];
  await world.close();
  jest.restoreAllMocks();
});

let agents: AgentView[] = [];

/** From now on one living worker serves the queue, with these handlers. */
function serveWith(...handlers: string[]): void {
  agents = [agentViewWith({ handlers, load: { running: 0, slots: 8, loopLagMs: 0 } })];
}

function startLoops(): void {
  const { state, queues, blocking, logger } = world;
  const breakers = world.createBreakerView();
  loops = [
    createRelayLoop({
      calm: new Calm(),
      state,
      queues,
      fleet,
      breakers,
      children: NO_CHILDREN,
      channels: NO_CHANNELS,
      blocking,
      schedulerId: 's-1',
      logger,
    }),
    createFireDueLoop({ state, queues, schedulerId: 's-1', calm: new Calm(), logger }),
    createWatchFleetLoop({ fleet, breakers, state, logger }),
  ];
  for (const loop of loops) loop.start();
}

const missing = { kind: 'task', use: 'missing' } as const;
const due = () => stateKey(world.tag, 'due');
const parkedMembers = async () => (await world.due()).filter((member) => member.startsWith('p|'));
const statusOf = async (runId: string) => (await world.state.readRun(runId))?.status;

/** Steps whose handler nobody has, parked as the relay parks them. */
async function park(runs: number, stepsOfEach: number): Promise<string[]> {
  const { tag, client, state } = world;
  const ids = Array.from({ length: stepsOfEach }, (_, index) => `s${index}`);
  const steps = Object.fromEntries(ids.map((id) => [id, missing]));
  for (let run = 0; run < runs; run += 1) {
    const { runId, key } = await world.start(steps);
    await Promise.all(
      ids.map((id) => state.transitions.park({ tag, runId, key: key(id) }, undefined, 'no-handler', 60_000)),
    );
  }
  await client.xtrim(stateKey(tag, 'outbox'), 'MAXLEN', 0);
  return parkedMembers();
}

describe('steps that no worker has a handler for', () => {
  test('keep no timer of another run waiting, however many they are', async () => {
    const members = await park(30, 100);
    expect(members).toHaveLength(3000);
    startLoops();
    // The loops are at work, as they are when such a moment comes.
    const before = await world.start({ a: { kind: 'delay', forMs: 1 } });
    await eventually(async () => (await statusOf(before.runId)) === 'succeeded', { timeoutMs: 10_000 });
    // All are to be looked at again in the moment when the delay of another run begins.
    let turns = 0;
    loops.find(({ name }) => name === 'fire-due')!.onTurn = () => {
      turns += 1;
    };
    await world.client.zadd(due(), 'XX', ...members.flatMap((member) => [1, member]));
    const { runId } = await world.start({ a: { kind: 'delay', forMs: 500 } });
    await eventually(async () => (await world.client.zcount(due(), 1, 1)) === 0, { timeoutMs: 10_000, intervalMs: 5 });
    // Between two turns that leave nothing to do lies a pause, which a turn for each handful would multiply.
    expect(turns).toBeLessThanOrEqual(4);
    await eventually(async () => (await statusOf(runId)) === 'succeeded', { timeoutMs: 10_000 });
  }, 30_000);

  test('have no timer besides the one that looks again', async () => {
    startLoops();
    await world.start({ a: missing, b: missing });
    await eventually(async () => (await parkedMembers()).length === 2);
    await eventually(async () => (await world.client.xlen(stateKey(world.tag, 'outbox'))) === 0);
    expect((await world.due()).filter((member) => !member.startsWith('p|'))).toEqual([]);
  });

  test('are looked at ever less often, and at once when a worker with the handler comes', async () => {
    const now = performance.now.bind(performance);
    startLoops();
    const { runId, key } = await world.start({ a: missing });
    await eventually(async () => (await parkedMembers()).length === 1);
    const member = `p|${key('a')}|${runId}`;
    const [seconds] = await world.client.time();
    const untilNextLook = async () => Number(await world.client.zscore(due(), member)) / 1000 - Number(seconds);
    expect(await untilNextLook()).toBeLessThan(4);
    // The handler has been missing for a minute.
    const later = jest.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    await world.makeDue(member);
    await eventually(async () => (await untilNextLook()) > 20);
    later.mockRestore();

    serveWith('known', 'missing');
    await eventually(() => world.queues.added.length > 0, { timeoutMs: 2000 });
  });

  test('are handed out again when the task they became is lost', async () => {
    startLoops();
    const { runId, key } = await world.start({ a: missing });
    await eventually(async () => (await parkedMembers()).length === 1);
    serveWith('missing');
    const hint = `q|${key('a')}|${runId}`;
    await eventually(async () => (await world.due()).includes(hint), { timeoutMs: 5000 });
    const [first] = world.queues.added;
    // Nobody takes it, and the queue says that it has it no more.
    jest.spyOn(world.queues, 'oldestWaitingAt').mockResolvedValue(undefined);
    await world.makeDue(hint);
    await eventually(() => world.queues.added.length > 1);
    expect(world.queues.added[1]!.id).not.toBe(first!.id);
  });
});

describe('steps that only unhealthy agents can make', () => {
  const reasonOf = async (runId: string) => (await world.state.listSteps(runId, { limit: 10 })).steps[0]?.reason;
  const unhealthy = (handlers: string[]) => agentViewWith({ handlers, status: 'unhealthy', intake: 'none' });

  test('ORIGIN C4: are not handed out: they are parked, say why, and go on when an agent is back on probation', async () => {
    const resting = unhealthy(['missing']);
    agents = [agentViewWith({ agentId: 'other', handlers: ['known'] }), resting];
    startLoops();
    await eventually(() => fleet.obstacleTo('default', 'missing') === 'agent-health');
    const { runId } = await world.start({ a: missing });
    await eventually(async () => (await parkedMembers()).length === 1);
    expect(await reasonOf(runId)).toBe('agent-health');
    expect(world.queues.added).toEqual([]);
    agents = [agents[0]!, { ...resting, status: 'probation', intake: 'few' }];
    await eventually(() => world.queues.added.length === 1, { timeoutMs: 3000 });
  });

  test('wait for a handler, not for health, when no living agent has it', async () => {
    agents = [unhealthy(['known']), agentViewWith({ agentId: 'dead', handlers: ['missing'], status: 'lost' })];
    await fleet.refresh();
    expect(fleet.obstacleTo('default', 'missing')).toBe('no-handler');
    expect(fleet.obstacleTo('default', 'known')).toBe('agent-health');
    expect(fleet.obstacleTo('elsewhere', 'known')).toBeUndefined();
  });

  test('are handed out while one that can make them takes work', async () => {
    agents = [unhealthy(['missing']), agentViewWith({ agentId: 'well', handlers: ['missing'] })];
    await fleet.refresh();
    expect(fleet.obstacleTo('default', 'missing')).toBeUndefined();
  });
});
