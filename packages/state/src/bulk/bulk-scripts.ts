import { defineScript } from '@flotilla/redis';

// Shared by what may end a job. A job keeps its lists as long as ended runs are kept.
const END = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function finish(open, job, lists, id, state)
  redis.call('HSET', job, 'state', state, 'endedAt', string.format('%.0f', now()))
  redis.call('ZREM', open, id)
  local retention = redis.call('HGET', job, 'retentionMs')
  redis.call('PEXPIRE', job, retention)
  for _, key in ipairs(lists) do redis.call('PEXPIRE', key, retention) end
end
`;

// KEYS: bulks, open, job, runs. ARGV: id, specification, total, retention in ms. Returns when it was created.
export const OPEN_BULK = defineScript({
  name: 'open-bulk',
  numberOfKeys: 4,
  lua: `#!lua
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if redis.call('HSETNX', KEYS[3], 'createdAt', at) == 0 then return redis.call('HGET', KEYS[3], 'createdAt') end
redis.call('HSET', KEYS[3], 'spec', ARGV[2], 'total', ARGV[3], 'retentionMs', ARGV[4],
  'state', 'running', 'done', 0, 'failed', 0, 'next', 0, 'fence', 0, 'leaseUntil', 0)
redis.call('PERSIST', KEYS[4])
redis.call('ZADD', KEYS[1], at, ARGV[1])
redis.call('ZADD', KEYS[2], at, ARGV[1])
return at`,
});

// KEYS: open, job, runs, outcomes. ARGV: id, scheduler, lease in ms, runs at most.
// Returns {} when there is nothing to do for this scheduler, or {fence, specification, createdAt, run...}.
export const CLAIM_BULK = defineScript({
  name: 'claim-bulk',
  numberOfKeys: 4,
  lua: `#!lua flags=allow-oom${END}
local state, leaseUntil, holder, first, spec, created =
  unpack(redis.call('HMGET', KEYS[2], 'state', 'leaseUntil', 'holder', 'next', 'spec', 'createdAt'))
if not state then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {}
end
if holder ~= ARGV[2] and tonumber(leaseUntil) > now() then return {} end
if state == 'aborting' then
  finish(KEYS[1], KEYS[2], { KEYS[3], KEYS[4] }, ARGV[1], 'aborted')
  return {}
end
if state ~= 'running' then return {} end
local fence = redis.call('HINCRBY', KEYS[2], 'fence', 1)
redis.call('HSET', KEYS[2], 'holder', ARGV[2], 'leaseUntil', string.format('%.0f', now() + ARGV[3]))
local reply = { tostring(fence), spec, created }
for _, run in ipairs(redis.call('LRANGE', KEYS[3], first, first + ARGV[4] - 1)) do reply[#reply + 1] = run end
return reply`,
});

// KEYS: open, job, runs, outcomes. ARGV: id, fence, done, failed, outcome...
// Returns 0 when another scheduler has taken the job over: it records these runs itself.
export const RECORD_BULK = defineScript({
  name: 'record-bulk',
  numberOfKeys: 4,
  lua: `#!lua flags=allow-oom${END}
local state, fence, total = unpack(redis.call('HMGET', KEYS[2], 'state', 'fence', 'total'))
if fence ~= ARGV[2] or (state ~= 'running' and state ~= 'aborting') then return 0 end
for index = 5, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[index]) end
redis.call('HINCRBY', KEYS[2], 'fence', 1)
redis.call('HINCRBY', KEYS[2], 'done', ARGV[3])
redis.call('HINCRBY', KEYS[2], 'failed', ARGV[4])
local reached = redis.call('HINCRBY', KEYS[2], 'next', #ARGV - 4)
if reached >= tonumber(total) then finish(KEYS[1], KEYS[2], { KEYS[3], KEYS[4] }, ARGV[1], 'done')
elseif state == 'aborting' then finish(KEYS[1], KEYS[2], { KEYS[3], KEYS[4] }, ARGV[1], 'aborted') end
return 1`,
});

// KEYS: open, job, runs, outcomes. ARGV: id. Returns 0 when there is no such job.
export const ABORT_BULK = defineScript({
  name: 'abort-bulk',
  numberOfKeys: 4,
  lua: `#!lua flags=allow-oom${END}
local state, leaseUntil = unpack(redis.call('HMGET', KEYS[2], 'state', 'leaseUntil'))
if not state then return 0 end
if state ~= 'running' then return 1 end
if tonumber(leaseUntil) > now() then redis.call('HSET', KEYS[2], 'state', 'aborting')
else finish(KEYS[1], KEYS[2], { KEYS[3], KEYS[4] }, ARGV[1], 'aborted') end
return 1`,
});
