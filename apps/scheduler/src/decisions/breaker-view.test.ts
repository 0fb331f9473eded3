import { FleetBreakers } from '@flotilla/breakers';
import { breakerKeys } from '@flotilla/state';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LoopWorld } from '../loops/testing/loop-world.ts';

const SETTINGS = { probeIntervalMs: 300, probeTimeoutMs: 30_000, rampCalls: 3 };
let world: LoopWorld;
beforeAll(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterAll(() => world.close());

test('the first step that comes when the way back may be tested is let through, also just before the next look', async () => {
  const { state } = world;
  const fleet = new FleetBreakers(world.client, breakerKeys(state.namespace));
  const { record } = await fleet.trip('payments', 0, 'it failed', SETTINGS);
  const view = world.createBreakerView();
  await view.refresh();
  const waitMs = view.parkMs('payments', 'run');
  expect(waitMs).toBeGreaterThan(0);
  expect(waitMs).toBeLessThanOrEqual(SETTINGS.probeIntervalMs);
  await eventually(async () => (await fleet.read()).now > record.openUntil!, { timeoutMs: 5000, intervalMs: 20 });
  expect(view.parkMs('payments', 'run')).toBeUndefined();
  // One is enough until the next look; who comes too late waits.
  expect(view.parkMs('payments', 'run')).toBeGreaterThan(0);
});
