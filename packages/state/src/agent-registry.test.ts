import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type AgentRecord, LOST_AFTER_MS, listAgents, sayGoodbye, signOfLife } from './agent-registry.ts';
import { deploymentKeys } from './keys.ts';

let connection: RedisConnection;
let namespace: string;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 5000);
});
beforeEach(() => {
  namespace = testNamespace(import.meta.url);
});
afterAll(() => closeConnection(connection));

function recordOf(workerId: string, change: Partial<AgentRecord> = {}): AgentRecord {
  return {
    agentId: workerId,
    workerId,
    host: 'host',
    pid: 1,
    version: '0.1.0',
    capabilities: ['research'],
    queues: ['default', 'cap.research'],
    handlers: ['work'],
    load: { running: 0, slots: 4, loopLagMs: 0 },
    startedAt: 1000,
    draining: false,
    ...change,
  };
}

/** As if the worker had given its last sign so long ago. */
async function silentFor(workerId: string, ms: number): Promise<void> {
  const { agentsSeen } = deploymentKeys(namespace);
  const [seconds, micros] = await connection.client.time();
  const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  await connection.client.zadd(agentsSeen, 'XX', now - ms, workerId);
}

const statuses = async () =>
  Object.fromEntries(
    (await listAgents(connection.client, namespace)).map(({ workerId, status }) => [workerId, status]),
  );

describe('the registry of agents', () => {
  test('tells what each worker said last, the longest-running first', async () => {
    await signOfLife(connection.client, namespace, recordOf('w2', { startedAt: 2000 }));
    await signOfLife(connection.client, namespace, recordOf('w1'));
    await signOfLife(connection.client, namespace, recordOf('w1', { load: { running: 3, slots: 4, loopLagMs: 7 } }));
    const agents = await listAgents(connection.client, namespace);
    expect(agents).toMatchObject([
      { workerId: 'w1', status: 'healthy', load: { running: 3, slots: 4, loopLagMs: 7 } },
      { workerId: 'w2', status: 'healthy', queues: ['default', 'cap.research'] },
    ]);
    expect(agents[0]).not.toHaveProperty('draining');
  });

  test('G11 shows a worker as lost within 10 s of its last sign, and no sooner than it has missed two', async () => {
    expect(LOST_AFTER_MS).toBeLessThan(10_000);
    await signOfLife(connection.client, namespace, recordOf('w1'));
    await silentFor('w1', 6500);
    expect(await statuses()).toEqual({ w1: 'healthy' });
    await silentFor('w1', 9990);
    expect(await statuses()).toEqual({ w1: 'lost' });
    await signOfLife(connection.client, namespace, recordOf('w1'));
    expect(await statuses()).toEqual({ w1: 'healthy' });
  });

  test('tells a draining worker from a healthy one, and forgets it when it leaves', async () => {
    await signOfLife(connection.client, namespace, recordOf('w1', { draining: true }));
    expect(await statuses()).toEqual({ w1: 'draining' });
    await silentFor('w1', 20_000);
    expect(await statuses()).toEqual({ w1: 'lost' });
    await sayGoodbye(connection.client, namespace, 'w1');
    expect(await statuses()).toEqual({});
  });

  test('forgets lost workers after an hour', async () => {
    await signOfLife(connection.client, namespace, recordOf('old'));
    await silentFor('old', 3_700_000);
    await signOfLife(connection.client, namespace, recordOf('new'));
    expect(await statuses()).toEqual({ new: 'healthy' });
    expect(await connection.client.hexists(deploymentKeys(namespace).agents, 'old')).toBe(0);
  });
});
