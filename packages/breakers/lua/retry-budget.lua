#!lua flags=allow-oom
-- How many retries of one dependency's steps the fleet allows itself: a share of first tries over a sliding window.
--
-- KEYS: counts of the dependency (HASH, lives as long as its window)
-- ARGV: first tries since the last call, retries asked for (0 or 1), window ms, share, minimum
-- Reply: ms that the retry has to wait for its place; 0 within the budget
--
-- Fields: `f<bucket>` first tries, `r<bucket>` retries that were allowed then or have their place then; `next`, when the
-- next place is free. What exceeds the budget gets places one after the other, as far apart as the budget allows.
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local firsts, asked = tonumber(ARGV[1]), tonumber(ARGV[2])
local window, share, minimum = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local BUCKETS = 12
local width = math.ceil(window / BUCKETS)
local bucket = math.floor(now / width)
local function text(value) return string.format('%.0f', value) end

if firsts > 0 then call('HINCRBY', KEYS[1], 'f' .. text(bucket), text(firsts)) end
local tries, retries, following = 0, 0, 0
local fields = call('HGETALL', KEYS[1])
for index = 1, #fields, 2 do
  local field, value = fields[index], tonumber(fields[index + 1])
  local kind, at = string.match(field, '^([fr])(%d+)$')
  if field == 'next' then
    following = value
  elseif tonumber(at) <= bucket - BUCKETS then
    call('HDEL', KEYS[1], field)
  elseif kind == 'f' then
    tries = tries + value
  elseif tonumber(at) <= bucket then
    retries = retries + value
  end
end

local wait = 0
if asked == 1 then
  local allowed = math.max(minimum, math.floor(tries * share))
  if retries < allowed and following <= now then
    call('HINCRBY', KEYS[1], 'r' .. text(bucket), 1)
  else
    local place = math.max(following, now) + math.ceil(window / allowed)
    wait = place - now
    call('HSET', KEYS[1], 'next', text(place))
    call('HINCRBY', KEYS[1], 'r' .. text(math.floor(place / width)), 1)
  end
end
call('PEXPIRE', KEYS[1], text(math.max(2 * window, following - now + 2 * window)))
return wait
