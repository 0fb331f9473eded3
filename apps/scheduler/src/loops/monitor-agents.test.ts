import { AgentDirectory, listAgentEvents, sendHeartbeat, WorkMeter } from '@flotilla/agents';
import { DEFAULT_HEALTH_THRESHOLDS } from '@flotilla/engine';
import { startMeters } from '@flotilla/telemetry';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Loop } from './loop.ts';
import { createMonitorAgentsLoop } from './monitor-agents.ts';
import { LoopWorld } from './testing/loop-world.ts';

let world: LoopWorld;
let loops: Loop[] = [];
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterEach(async () => {
  await Promise.all(loops.map((loop) => loop.stop()));
  loops = [];
  await world.close();
});

async function sign(workerId: string, failures: number): Promise<string> {
  const identity = {
    ...{ agentId: workerId, workerId, host: 'here', pid: 1, version: '1', startedAt: 1 },
    ...{ capabilities: [], queues: ['default'], handlers: ['work'] },
  };
  const work = { ...new WorkMeter().report(), consecutiveFailures: failures, failed: failures, totalFailed: failures };
  const state = { load: { running: 0, slots: 4, loopLagMs: 0 }, draining: false, ageMs: 0, work };
  return (await sendHeartbeat(world.client, world.namespace, workerId, identity, state)).healthText;
}

test('of several schedulers that judge, one tells of it; the worker hears it with its next sign', async () => {
  const { client, namespace, logger } = world;
  const meters = await startMeters({ service: 'test', environment: {}, logger });
  loops = [1, 2, 3].map(() => {
    const directory = new AgentDirectory({ client, namespace, lostAfterMs: 9000 });
    const thresholds = DEFAULT_HEALTH_THRESHOLDS;
    return createMonitorAgentsLoop({ directory, client, namespace, thresholds, intervalMs: 100, meters, logger });
  });
  for (const loop of loops) loop.start();
  await sign('well', 0);
  await eventually(async () => (await sign('sick', 3)) !== '', { timeoutMs: 15_000 });
  await sign('well', 0);
  expect(JSON.parse(await sign('sick', 3))).toMatchObject({ status: 'unhealthy', intake: 'none' });
  // Every one of them has looked since.
  const looks = loops.map(({ idleMs }) => idleMs);
  await eventually(() => loops.every(({ idleMs }, index) => idleMs < looks[index]!) || looks.every((ms) => ms < 100));
  expect(await listAgentEvents(client, namespace, 10)).toMatchObject([
    { type: 'agent-unhealthy', agentId: 'sick', reason: 'consecutive-failures' },
  ]);
  expect(world.lines.filter(({ msg }) => msg === 'agent-unhealthy')).toHaveLength(1);
  const text = await meters.render();
  expect(text).toContain('flotilla_agent_events_total{type="agent-unhealthy"} 1');
}, 30_000);
