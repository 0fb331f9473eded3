import type { AgentEvent } from '@flotilla/contracts';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import { agentKeys } from './agent-keys.ts';

/** Events that the fleet remembers. */
const MOST_EVENTS = 1000;

// KEYS: agents, health, revision, events. ARGV: worker id, judgement as it was, as it shall be, event or '', most events.
// Returns 1 when it was written: the agent is there and nobody else has judged it meanwhile.
const SET_HEALTH = defineScript({
  name: 'set-agent-health',
  numberOfKeys: 4,
  lua: `#!lua flags=allow-oom
local id = ARGV[1]
if redis.call('HEXISTS', KEYS[1], id) == 0 then return 0 end
if (redis.call('HGET', KEYS[2], id) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], id, ARGV[3])
redis.call('INCR', KEYS[3])
if ARGV[4] ~= '' then
  redis.call('LPUSH', KEYS[4], ARGV[4])
  redis.call('LTRIM', KEYS[4], 0, tonumber(ARGV[5]) - 1)
end
return 1`,
});

export interface HealthChange {
  agentId: string;
  /** As it was read, '' when there was none. */
  beforeText: string;
  afterText: string;
  event: AgentEvent | undefined;
}

/** Keeps a new judgement. False when another scheduler was first, or the agent has left: then nothing happened. */
export async function setHealth(client: RedisClient, namespace: string, change: HealthChange): Promise<boolean> {
  const { agents, health, revision, events } = agentKeys(namespace);
  const { agentId, beforeText, afterText, event } = change;
  const written = await runScript<number>(
    client,
    SET_HEALTH,
    [agents, health, revision, events],
    [agentId, beforeText, afterText, event === undefined ? '' : JSON.stringify(event), MOST_EVENTS],
  );
  return written === 1;
}

/** What happened to agents' health lately, newest first. */
export async function listAgentEvents(client: RedisClient, namespace: string, limit: number): Promise<AgentEvent[]> {
  const texts = await client.lrange(agentKeys(namespace).events, 0, limit - 1);
  return texts.map((text) => JSON.parse(text) as AgentEvent);
}
