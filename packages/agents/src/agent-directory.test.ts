import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { eventually, sharedRedis, startRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AgentDirectory } from './agent-directory.ts';
import { agentKeys } from './agent-keys.ts';
import { listAgentEvents, setHealth } from './health-record.ts';
import { type AgentIdentity, deregisterAgent, type Heartbeat, sendHeartbeat } from './heartbeat.ts';
import { WorkMeter } from './work-meter.ts';

let connection: RedisConnection;
let namespace: string;
let directory: AgentDirectory;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  namespace = testNamespace(import.meta.url);
  directory = new AgentDirectory({ client: connection.client, namespace, lostAfterMs: 9000 });
});
afterAll(() => closeConnection(connection));

function identityOf(workerId: string, startedAt = 1000): AgentIdentity {
  return {
    ...{ agentId: workerId, workerId, host: 'host', pid: 1, version: '0.1.0', startedAt },
    ...{ capabilities: ['research'], queues: ['default', 'cap.research'], handlers: ['work'] },
  };
}

const SIGN: Heartbeat = {
  load: { running: 0, slots: 4, loopLagMs: 0 },
  draining: false,
  ageMs: 0,
  work: new WorkMeter().report(),
};

function sign(
  workerId: string,
  change: Partial<Heartbeat> = {},
  identity: AgentIdentity | undefined = identityOf(workerId),
) {
  return sendHeartbeat(connection.client, namespace, workerId, identity, { ...SIGN, ...change });
}

/** As if the worker had given its last sign so long ago; the directory has not been looking meanwhile. */
async function silentFor(workerId: string, ms: number): Promise<void> {
  const [seconds, micros] = await connection.client.time();
  const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  await connection.client.zadd(agentKeys(namespace).seen, 'XX', now - ms, workerId);
  directory = new AgentDirectory({ client: connection.client, namespace, lostAfterMs: 9000 });
}

const statuses = async () =>
  Object.fromEntries((await directory.list()).map(({ workerId, status }) => [workerId, status]));

describe('the directory of agents', () => {
  test('tells what each worker said last, the longest-running first', async () => {
    await sign('w2', {}, identityOf('w2', 2000));
    await sign('w1');
    await directory.look();
    await sign('w1', { load: { running: 3, slots: 4, loopLagMs: 7 } });
    const agents = await directory.list();
    expect(agents).toMatchObject([
      { workerId: 'w1', status: 'healthy', intake: 'all', load: { running: 3, slots: 4, loopLagMs: 7 } },
      { workerId: 'w2', status: 'healthy', queues: ['default', 'cap.research'], performance: { errorRate: 0 } },
    ]);
    expect(agents[0]).not.toHaveProperty('draining');
    expect(agents[0]!.performance).not.toHaveProperty('handlers');
  });

  test('G11 shows a worker as lost within 10 s of its last sign, and no sooner than it has missed two', async () => {
    await sign('w1');
    await silentFor('w1', 6500);
    expect(await statuses()).toEqual({ w1: 'healthy' });
    await silentFor('w1', 9500);
    expect(await statuses()).toEqual({ w1: 'lost' });
    await sign('w1');
    expect(await statuses()).toEqual({ w1: 'healthy' });
  });

  test('ORIGIN: who never gave a sign is not there, and to be looked at, judged or read about makes nobody look alive', async () => {
    const { client } = connection;
    await sign('w1');
    const health = (status: string) => JSON.stringify({ status, reason: 'failures', since: 1, intake: 'all' });
    const judge = (agentId: string, status: string) =>
      setHealth(client, namespace, { agentId, beforeText: '', afterText: health(status), event: undefined });
    expect(await judge('nobody', 'healthy')).toBe(false);
    await directory.look();
    expect((await directory.list()).map(({ workerId }) => workerId)).toEqual(['w1']);
    expect(directory.get('nobody')).toBeUndefined();
    await silentFor('w1', 9500);
    const seenAt = async () => (await directory.list())[0]?.lastSeenAt;
    const before = await seenAt();
    await directory.look();
    expect(await judge('w1', 'unhealthy')).toBe(true);
    expect([await seenAt(), await statuses()]).toEqual([before, { w1: 'lost' }]);
  });

  test('a sign is as old as the slowest of the loops that take work', async () => {
    await sign('w1', { ageMs: 8000 });
    expect(await statuses()).toEqual({ w1: 'healthy' });
    await sign('w1', { ageMs: 9500 });
    expect(await statuses()).toEqual({ w1: 'lost' });
  });

  test('tells a draining worker from a healthy one, and forgets it when it leaves', async () => {
    await sign('w1', { draining: true });
    expect(await directory.list()).toMatchObject([{ status: 'draining', reason: 'drain-requested', intake: 'none' }]);
    await silentFor('w1', 20_000);
    expect(await statuses()).toEqual({ w1: 'lost' });
    await deregisterAgent(connection.client, namespace, 'w1');
    expect(await statuses()).toEqual({});
  });

  test('forgets lost workers after an hour, and asks who is back later who they are', async () => {
    await sign('old');
    await silentFor('old', 3_700_000);
    await sign('new');
    expect(await statuses()).toEqual({ new: 'healthy' });
    expect(await connection.client.hexists(agentKeys(namespace).agents, 'old')).toBe(0);
    const reply = await sendHeartbeat(connection.client, namespace, 'old', undefined, SIGN);
    expect(reply.isUnknown).toBe(true);
    expect(await statuses()).toEqual({ new: 'healthy' });
  });

  test('a judgement is written by the first who makes it, and told to the agent with its next sign', async () => {
    await sign('w1');
    const afterText = JSON.stringify({ status: 'unhealthy', reason: 'error-rate', since: 5, intake: 'none' });
    const event = { type: 'agent-unhealthy', agentId: 'w1', at: 5, reason: 'error-rate' } as const;
    const change = { agentId: 'w1', beforeText: '', afterText, event };
    const written = await Promise.all([1, 2, 3].map(() => setHealth(connection.client, namespace, change)));
    expect(written.filter(Boolean)).toHaveLength(1);
    expect(await listAgentEvents(connection.client, namespace, 10)).toEqual([event]);
    expect(await directory.list()).toMatchObject([
      { status: 'unhealthy', reason: 'error-rate', since: 5, intake: 'none' },
    ]);
    expect((await sign('w1')).healthText).toBe(afterText);
    // Of who has left nothing is kept.
    await deregisterAgent(connection.client, namespace, 'w1');
    expect(await setHealth(connection.client, namespace, { ...change, beforeText: '' })).toBe(false);
  });

  test('the fleet remembers a thousand events', async () => {
    await sign('w1');
    let beforeText = '';
    for (let at = 1; at <= 1010; at += 1) {
      const afterText = String(at);
      const event = { type: 'agent-lost', agentId: 'w1', at, reason: 'unseen' } as const;
      await setHealth(connection.client, namespace, { agentId: 'w1', beforeText, afterText, event });
      beforeText = afterText;
    }
    const events = await listAgentEvents(connection.client, namespace, 5000);
    expect([events.length, events[0]!.at, events.at(-1)!.at]).toEqual([1000, 1010, 11]);
  });

  test('a look at 200 agents is one command that carries only those that gave a sign since the last', async () => {
    const redis = await startRedis({});
    const own = connectRedis(redis.url, 'commands');
    try {
      await untilReady(own, 60_000);
      const { client } = own;
      const ids = Array.from({ length: 200 }, (_, index) => `w${index}`);
      await Promise.all(ids.map((id) => sendHeartbeat(client, namespace, id, identityOf(id), SIGN)));
      const looks = new AgentDirectory({ client, namespace, lostAfterMs: 9000 });
      await looks.look();
      const stat = async (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(await client.info('stats'))![1]);
      // A sign of the same millisecond as a look is seen twice.
      await eventually(async () => Number((await client.time())[0]) * 1000 > looks.now);
      for (const id of ids.slice(0, 20)) await sendHeartbeat(client, namespace, id, undefined, SIGN);
      const [commandsBefore, bytesBefore] = [
        await stat('total_commands_processed'),
        await stat('total_net_output_bytes'),
      ];
      await looks.look();
      const bytes = (await stat('total_net_output_bytes')) - bytesBefore;
      // EVALSHA with TIME, GET, ZRANGEBYSCORE and two HMGET in it; three INFO.
      expect((await stat('total_commands_processed')) - commandsBefore).toBeLessThanOrEqual(9);
      // Two INFO are 8 kB; 200 agents would be 80 kB.
      expect(bytes).toBeLessThan(25_000);
      expect(looks.views()).toHaveLength(200);
    } finally {
      await closeConnection(own);
      await redis.stop();
    }
  });
});
