import type { AgentView } from '@flotilla/contracts';
import { deploymentKeys } from '@flotilla/state';
import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LoopWorld } from '../loops/testing/loop-world.ts';
import { FleetView } from './fleet-view.ts';

const USE = 'tiny';
let world: LoopWorld;
beforeAll(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
  await world.client.hset(deploymentKeys(world.namespace).durations, `default/${USE}`, '0.1');
});
afterAll(() => world.close());

function agent(slots: number, limit?: number, more: Partial<AgentView> = {}): AgentView {
  const load = { running: 0, slots, loopLagMs: 0, ...(limit === undefined ? {} : { limit }) };
  const name = `agent-${slots}-${limit}`;
  return {
    ...{ agentId: name, workerId: name, host: 'here', pid: 1, version: '1', capabilities: [], startedAt: 0 },
    ...{ status: 'healthy', intake: 'all', lastSeenAt: 0, draining: false, queues: ['default'], handlers: [USE] },
    load,
    ...more,
  } as AgentView;
}

async function sizeFor(...agents: AgentView[]): Promise<number> {
  const fleet = new FleetView(world.state, { list: async () => agents });
  await fleet.refresh();
  return fleet.stepsPerTask('default', USE);
}

describe('the steps of a task', () => {
  test('are no more than an agent has slots', async () => {
    expect(await sizeFor(agent(64))).toBe(64);
    expect(await sizeFor(agent(6))).toBe(6);
    expect(await sizeFor()).toBe(1);
  });

  test('are no more than it takes now, when it has lowered its limit', async () => {
    expect(await sizeFor(agent(64, 7))).toBe(7);
    expect(await sizeFor(agent(64, 7), agent(64, 14))).toBe(7);
  });

  test('follow a limit that changes while nothing else does', async () => {
    let limit = 7;
    const handlers = [USE];
    const fleet = new FleetView(world.state, {
      list: async () => [agent(64, limit, { agentId: 'same', handlers })],
    });
    await fleet.refresh();
    limit = 28;
    await fleet.refresh();
    expect(fleet.stepsPerTask('default', USE)).toBe(28);
  });

  test('are not made few by one that does a small part of the work, is at its limit of none, or takes none', async () => {
    expect(await sizeFor(agent(64), agent(64), agent(64, 4))).toBe(64);
    expect(await sizeFor(agent(64), agent(64, 0))).toBe(64);
    expect(await sizeFor(agent(64), agent(64, 30, { intake: 'none' }))).toBe(64);
    expect(await sizeFor(agent(64), agent(64, 30))).toBe(30);
  });
});
