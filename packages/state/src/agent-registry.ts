import type { AgentView } from '@flotilla/contracts';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import { deploymentKeys } from './keys.ts';

/** Not seen for this long: lost. A worker says so every 3 s, so three signs have been missed (G11: within 10 s). */
export const LOST_AFTER_MS = 9000;
/** Lost workers stay in the list for this long. */
const FORGET_AFTER_MS = 3_600_000;

/** What a worker says of itself. One worker is one agent until it hosts more. */
export type AgentRecord = Omit<AgentView, 'status' | 'lastSeenAt'> & { draining: boolean };

// KEYS: agents, agents seen. ARGV: worker id, record, forget after ms. Returns Redis' clock in ms.
const SIGN_OF_LIFE = defineScript({
  name: 'sign-of-life',
  numberOfKeys: 2,
  lua: `#!lua flags=allow-oom
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[1])
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - tonumber(ARGV[3])), 'LIMIT', 0, 100)
for index = 1, #gone do
  redis.call('ZREM', KEYS[2], gone[index])
  redis.call('HDEL', KEYS[1], gone[index])
end
return string.format('%.0f', now)`,
});

// KEYS: agents, agents seen. ARGV: worker id.
const GOODBYE = defineScript({
  name: 'goodbye',
  numberOfKeys: 2,
  lua: `#!lua flags=allow-oom
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1`,
});

/** Says that the worker lives. Called from the loop that takes work, never from a timer of its own. */
export async function signOfLife(client: RedisClient, namespace: string, record: AgentRecord): Promise<void> {
  const keys = deploymentKeys(namespace);
  await runScript(
    client,
    SIGN_OF_LIFE,
    [keys.agents, keys.agentsSeen],
    [record.workerId, JSON.stringify(record), FORGET_AFTER_MS],
  );
}

export async function sayGoodbye(client: RedisClient, namespace: string, workerId: string): Promise<void> {
  const keys = deploymentKeys(namespace);
  await runScript(client, GOODBYE, [keys.agents, keys.agentsSeen], [workerId]);
}

export async function listAgents(client: RedisClient, namespace: string): Promise<AgentView[]> {
  const keys = deploymentKeys(namespace);
  const [records, seen, time] = await Promise.all([
    client.hgetall(keys.agents),
    client.zrange(keys.agentsSeen, '0', '-1', 'WITHSCORES'),
    client.time(),
  ]);
  const now = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
  const agents: AgentView[] = [];
  for (let index = 0; index < seen.length; index += 2) {
    const stored = records[seen[index]!];
    if (stored === undefined) continue;
    const { draining, ...record } = JSON.parse(stored) as AgentRecord;
    const lastSeenAt = Number(seen[index + 1]);
    const status = now - lastSeenAt > LOST_AFTER_MS ? 'lost' : draining ? 'draining' : 'healthy';
    agents.push({ ...record, status, lastSeenAt });
  }
  return agents.sort((a, b) => a.startedAt - b.startedAt);
}
