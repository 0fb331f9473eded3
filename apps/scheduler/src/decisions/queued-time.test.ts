import { DUE, stateKey } from '@flotilla/state';
import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LoopWorld } from '../loops/testing/loop-world.ts';
import { QueuedTime } from './queued-time.ts';

const QUEUED_MS = 5000;
let world: LoopWorld;
let queuedTime: QueuedTime;
beforeAll(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
  queuedTime = new QueuedTime(world.state);
});
afterAll(() => world.close());

async function parked(reason: string, forMs: number) {
  const { runId, key } = await world.start({ a: { kind: 'task', use: 'work' } });
  const address = { tag: world.tag, runId, key: key('a') };
  await world.state.transitions.park(address, undefined, reason, forMs);
  const dueAt = await world.client.zscore(stateKey(world.tag, 'due'), `${DUE.parked}|${address.key}|${runId}`);
  return { address, dueAt: Number(dueAt) };
}

describe('the queued time of a step that is parked', () => {
  test.each(['breaker:payments', 'storage', 'own-process'])(
    'for %s begins when it is looked at again',
    async (reason) => {
      const { address, dueAt } = await parked(reason, 60_000);
      expect(await queuedTime.putOffUntil(address, QUEUED_MS)).toBe(dueAt + QUEUED_MS);
    },
  );

  test.each(['no-handler', 'agent-health'])('for %s runs on: it waits for a worker', async (reason) => {
    const { address } = await parked(reason, 60_000);
    expect(await queuedTime.putOffUntil(address, QUEUED_MS)).toBeUndefined();
  });

  test('and has been handed out since gets its time once more, and no second time', async () => {
    const { address } = await parked('storage', 60_000);
    await world.client.zrem(stateKey(world.tag, 'due'), `${DUE.parked}|${address.key}|${address.runId}`);
    expect(await queuedTime.putOffUntil(address, QUEUED_MS)).toBeDefined();
    expect(await queuedTime.putOffUntil(address, QUEUED_MS)).toBeUndefined();
  });
});
