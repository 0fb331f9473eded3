import type { AgentView } from '@flotilla/contracts';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import { agentKeys } from './agent-keys.ts';
import type { WorkReport } from './work-meter.ts';

/** Lost agents stay in the list for this long. */
const FORGET_AFTER_MS = 3_600_000;

/** Who an agent is: said once, for it does not change while its process lives. One worker is one agent until it hosts more. */
export type AgentIdentity = Pick<
  AgentView,
  'agentId' | 'workerId' | 'host' | 'pid' | 'version' | 'capabilities' | 'queues' | 'handlers' | 'startedAt'
>;

/** How an agent is doing: said with each heartbeat. */
export interface Heartbeat {
  load: AgentView['load'];
  draining: boolean;
  /** How long ago the slowest of the loops that take work came around: the sign is as old as that. */
  ageMs: number;
  work: WorkReport;
}

/** What an agent is told in return. */
export interface HeartbeatReply {
  /** Redis' clock, ms. */
  now: number;
  /** Its judgement as it is kept (JSON), '' when there is none. */
  healthText: string;
  /** The fleet does not know who it is: the next sign must say so. */
  isUnknown: boolean;
}

// KEYS: agents, seen, signs, health, revision. ARGV: worker id, identity or '', sign, forget after ms.
// Returns Redis' clock in ms, the judgement, and 1 when the identity is wanted.
const HEARTBEAT = defineScript({
  name: 'heartbeat',
  numberOfKeys: 5,
  lua: `#!lua flags=allow-oom
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local id = ARGV[1]
if ARGV[2] == '' then
  if redis.call('HEXISTS', KEYS[1], id) == 0 then return { string.format('%.0f', now), '', 1 } end
elseif redis.call('HSET', KEYS[1], id, ARGV[2]) == 1 then
  redis.call('INCR', KEYS[5])
end
redis.call('HSET', KEYS[3], id, ARGV[3])
redis.call('ZADD', KEYS[2], string.format('%.0f', now), id)
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - tonumber(ARGV[4])), 'LIMIT', 0, 100)
for index = 1, #gone do
  redis.call('ZREM', KEYS[2], gone[index])
  for key = 1, 4 do if key ~= 2 then redis.call('HDEL', KEYS[key], gone[index]) end end
end
if #gone > 0 then redis.call('INCR', KEYS[5]) end
return { string.format('%.0f', now), redis.call('HGET', KEYS[4], id) or '', 0 }`,
});

// KEYS: agents, seen, signs, health, revision. ARGV: worker id.
const DEREGISTER = defineScript({
  name: 'deregister',
  numberOfKeys: 5,
  lua: `#!lua flags=allow-oom
redis.call('ZREM', KEYS[2], ARGV[1])
for key = 1, 4 do if key ~= 2 then redis.call('HDEL', KEYS[key], ARGV[1]) end end
redis.call('INCR', KEYS[5])
return 1`,
});

const keysOf = (namespace: string): string[] => {
  const { agents, seen, signs, health, revision } = agentKeys(namespace);
  return [agents, seen, signs, health, revision];
};

/** Says that the worker lives. Called from the loops that take work, never from a timer of its own. */
export async function sendHeartbeat(
  client: RedisClient,
  namespace: string,
  workerId: string,
  identity: AgentIdentity | undefined,
  sign: Heartbeat,
): Promise<HeartbeatReply> {
  const [now, healthText, isUnknown] = await runScript<[string, string, number]>(client, HEARTBEAT, keysOf(namespace), [
    workerId,
    identity === undefined ? '' : JSON.stringify(identity),
    JSON.stringify(sign),
    FORGET_AFTER_MS,
  ]);
  return { now: Number(now), healthText, isUnknown: isUnknown === 1 };
}

/** A clean exit: the worker leaves the list. */
export async function deregisterAgent(client: RedisClient, namespace: string, workerId: string): Promise<void> {
  await runScript(client, DEREGISTER, keysOf(namespace), [workerId]);
}
