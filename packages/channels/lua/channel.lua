#!lua flags=allow-oom
-- One channel: an ordered, bounded log of messages, each consumed once. One script, so that a channel is read and left in one
-- moment. All keys share the tag of the channel's partition.
--
-- KEYS: meta (HASH), log (STREAM), outbox (STREAM) and channels (ZSET name by last use) of the partition
-- ARGV: command, channel, then by command (see COMMANDS). Reply: by command.
--
-- Meta: `n` messages so far; `depth` and `bytes` of those not acknowledged; `s:KEY` last number of a key; `o:KEY` the assignment
-- that holds a key. Beside it: `:q:KEY` (LIST) the messages of a key that are not
-- acknowledged, in order; `:consumed` (LIST) log ids of acknowledged messages that are still stored; `:ready` (ZSET) keys that have messages and that no assignment holds, by the place of their first;
-- `:receivers`, `:senders` (LIST) who waits, in order of arrival; `:assigned` (HASH) assignments (JSON) by name, `:held` (HASH) those
-- of handlers that have taken messages; `:admitted`
-- (HASH) numbers of the messages of senders that were let in; `:numbers` (HASH) numbers of messages by the id that they were
-- sent with; `:ids` (ZSET) those ids by time.
--
-- Invariants:
-- 1. Messages of a key are numbered from 1 without a gap, in the order in which this script took them.
-- 2. A key is held by one assignment at a time, and an assignment takes the first messages of its key: nothing is overtaken.
-- 3. Depth and bytes count what is not acknowledged, and never exceed their bounds: who waits is let in below 80 % of them.
-- 4. Only acknowledged messages are taken off the log, and at most RETAINED of them stay in it.
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local meta, log, outbox, channels = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local READY, RECEIVERS, SENDERS = meta .. ':ready', meta .. ':receivers', meta .. ':senders'
local CONSUMED = meta .. ':consumed'
local HELD = meta .. ':held'
local ASSIGNED, ADMITTED, NUMBERS, IDS = meta .. ':assigned', meta .. ':admitted', meta .. ':numbers', meta .. ':ids'
local ID_TTL_MS, MAX_IDS = 86400000, 100000
local RETAINED = 1000
local MAX_DELIVERIES = 32

local function queueOf(key) return meta .. ':q:' .. key end
local function number(field) return tonumber(call('HGET', meta, field) or 0) end

-- A scheduler looks whether somebody can be served.
local function wake() call('XADD', outbox, '*', 'e', 'M|' .. ARGV[2]) end

local function isReady() return call('ZCARD', READY) > 0 end

-- A key that no assignment holds is ready as long as it has messages.
local function updateReady(key)
  local first = call('LINDEX', queueOf(key), 0)
  if first and call('HEXISTS', meta, 'o:' .. key) == 0 then
    call('ZADD', READY, string.match(first, '^(%d+)|'), key)
  else
    call('ZREM', READY, key)
  end
end

local function fits(bytes, maxMessages, maxBytes, share)
  local depth = number('depth')
  -- An empty channel takes any one message that is within its bounds, however small they are.
  if depth == 0 then return bytes <= maxBytes end
  return depth + 1 <= maxMessages * share and number('bytes') + bytes <= maxBytes * share
end

local function forgetOldIds()
  local old = call('ZRANGEBYSCORE', IDS, '-inf', now - ID_TTL_MS, 'LIMIT', 0, 100)
  local excess = call('ZCARD', IDS) - MAX_IDS
  if excess > 0 then
    for _, id in ipairs(call('ZRANGE', IDS, 0, excess - 1)) do old[#old + 1] = id end
  end
  for _, id in ipairs(old) do
    call('HDEL', NUMBERS, id)
    call('ZREM', IDS, id)
  end
end

local function append(key, body, id, sender)
  local place, seq = call('HINCRBY', meta, 'n', 1), call('HINCRBY', meta, 's:' .. key, 1)
  call('XADD', log, now .. '-' .. place, 'key', key, 'seq', seq, 'body', body, 'by', sender)
  call('RPUSH', queueOf(key), place .. '|' .. now .. '-' .. place)
  call('HINCRBY', meta, 'depth', 1)
  call('HINCRBY', meta, 'bytes', #body)
  if id ~= '' then
    call('HSET', NUMBERS, id, seq)
    call('ZADD', IDS, now, id)
    forgetOldIds()
  end
  updateReady(key)
  return seq
end

-- Messages that are acknowledged stay readable for a while. Each is taken off by itself: one that somebody holds for long, or
-- that nobody takes, keeps no later ones.
local function retain(id)
  call('RPUSH', CONSUMED, id)
  if call('LLEN', CONSUMED) > RETAINED then call('XDEL', log, call('LPOP', CONSUMED)) end
end

local COMMANDS = {}

-- key, body, id or '', sender, maxMessages, maxBytes, what waits when it is full: `run|step key` or ''
-- {'sent', seq} | {'known', seq} | {'waiting'} | {'full', depth}
COMMANDS['send'] = function(key, body, id, sender, maxMessages, maxBytes, waiting)
  call('ZADD', channels, now, ARGV[2])
  local known = id ~= '' and call('HGET', NUMBERS, id)
  if known then return { 'known', tonumber(known) } end
  local isFirst = call('LLEN', SENDERS) == 0
  if isFirst and fits(#body, tonumber(maxMessages), tonumber(maxBytes), 1) then
    local seq = append(key, body, id, sender)
    if call('LLEN', RECEIVERS) > 0 then wake() end
    return { 'sent', seq }
  end
  if waiting == '' then return { 'full', number('depth') } end
  for _, entry in ipairs(call('LRANGE', SENDERS, 0, -1)) do
    if cjson.decode(entry).id == id then return { 'waiting' } end
  end
  call('RPUSH', SENDERS, cjson.encode({ key = key, body = body, id = id, sender = sender, waiting = waiting,
    maxMessages = maxMessages, maxBytes = maxBytes }))
  return { 'waiting' }
end

-- `run|step key`, key or '' for any, count. A step that waits is registered once. {'registered'}
COMMANDS['receive'] = function(receiver, key, count)
  call('ZADD', channels, now, ARGV[2])
  local entry = receiver .. '|' .. count .. '|' .. key
  for _, other in ipairs(call('LRANGE', RECEIVERS, 0, -1)) do
    if other == entry then return { 'registered' } end
  end
  for _, assignment in ipairs(call('HKEYS', ASSIGNED)) do
    if string.sub(assignment, 1, #receiver + 1) == receiver .. '|' then return { 'registered' } end
  end
  call('RPUSH', RECEIVERS, entry)
  if isReady() or call('HLEN', HELD) > 0 then wake() end
  return { 'registered' }
end

-- `place`: ASSIGNED, or HELD of an attempt with this fence.
local function assign(receiver, key, count, place, fence)
  local entries = call('LRANGE', queueOf(key), 0, count - 1)
  local messages, ids = {}, {}
  for index, entry in ipairs(entries) do
    local id = string.match(entry, '|(.*)$')
    local found = call('XRANGE', log, id, id)[1]
    local fields = found and found[2] or {}
    messages[index] = { seq = tonumber(fields[4] or 0), key = key, body = fields[6] or 'null' }
    ids[index] = id
  end
  local name = receiver .. '|' .. call('HINCRBY', meta, 'assigned', 1)
  local content = cjson.encode({ receiver = receiver, key = key, fence = fence, messages = messages })
  call('HSET', place, name, content)
  call('HSET', meta, 'o:' .. key, name)
  updateReady(key)
  return { 'assign', name, content }
end

-- The first receiver that a ready key can serve, taken off the list.
local function takeServed()
  for index, entry in ipairs(call('LRANGE', RECEIVERS, 0, 99)) do
    local run, step, count, key = string.match(entry, '^([^|]*)|([^|]*)|(%d+)|(.*)$')
    local ready = key == '' and call('ZRANGE', READY, 0, 0)[1] or (call('ZSCORE', READY, key) and key)
    if ready then
      call('LREM', RECEIVERS, 1, entry)
      return run .. '|' .. step, ready, tonumber(count)
    end
  end
end

-- Lets senders in that wait, below 80 % of the bounds. Returns whom.
local function admit(served)
  while #served < MAX_DELIVERIES do
    local entry = call('LINDEX', SENDERS, 0)
    if not entry then return end
    local sender = cjson.decode(entry)
    local known = call('HGET', NUMBERS, sender.id)
    if not known and not fits(#sender.body, tonumber(sender.maxMessages), tonumber(sender.maxBytes), 0.8) then return end
    call('LPOP', SENDERS)
    local seq = known and tonumber(known) or append(sender.key, sender.body, sender.id, sender.sender)
    call('HSET', ADMITTED, sender.waiting, seq)
    served[#served + 1] = { 'admit', sender.waiting, tostring(seq) }
  end
end

-- Whom a scheduler has to tell: assignments and admissions that are not confirmed, then new ones. A list of
-- {'assign', assignment, its content (JSON)} | {'admit', `run|step key`, seq}, and 'more' when there may be more.
COMMANDS['deliver'] = function()
  local served = {}
  local fields = call('HGETALL', ASSIGNED)
  for index = 1, #fields, 2 do served[#served + 1] = { 'assign', fields[index], fields[index + 1] } end
  fields = call('HGETALL', ADMITTED)
  for index = 1, #fields, 2 do served[#served + 1] = { 'admit', fields[index], fields[index + 1] } end
  admit(served)
  while #served < MAX_DELIVERIES do
    local receiver, key, count = takeServed()
    if not receiver then break end
    served[#served + 1] = assign(receiver, key, count, ASSIGNED)
  end
  return served
end

-- Whether a step that waits would be given messages of this key: it came first.
local function isAwaited(key)
  for _, entry in ipairs(call('LRANGE', RECEIVERS, 0, 99)) do
    local wanted = string.match(entry, '^[^|]*|[^|]*|%d+|(.*)$')
    if wanted == '' or wanted == key then return true end
  end
  return false
end

-- `run|step key`, fence of its attempt, key or '' for any, count: a handler takes messages, which are its own until they are
-- acknowledged or released. {'taken', assignment, its content (JSON)} | {'empty', attempts that hold messages}
COMMANDS['take'] = function(receiver, fence, key, count)
  call('ZADD', channels, now, ARGV[2])
  local ready = key == '' and call('ZRANGE', READY, 0, 0)[1] or (call('ZSCORE', READY, key) and key)
  if not ready or isAwaited(ready) then return { 'empty', call('HLEN', HELD) } end
  local taken = assign(receiver, ready, tonumber(count), HELD, fence)
  return { 'taken', taken[2], taken[3] }
end

-- {assignment, fence, …} of the attempts that hold messages
COMMANDS['holders'] = function()
  local holders = {}
  local fields = call('HGETALL', HELD)
  for index = 1, #fields, 2 do
    holders[#holders + 1] = fields[index]
    holders[#holders + 1] = cjson.decode(fields[index + 1]).fence
  end
  return holders
end

local function takeAssignment(name)
  local stored = call('HGET', ASSIGNED, name) or call('HGET', HELD, name)
  if not stored then return nil end
  call('HDEL', ASSIGNED, name)
  call('HDEL', HELD, name)
  local assignment = cjson.decode(stored)
  call('HDEL', meta, 'o:' .. assignment.key)
  return assignment
end

-- The receiving step has settled with the messages: they are consumed. {'acknowledged'} | {'gone'}
COMMANDS['acknowledge'] = function(name)
  local assignment = takeAssignment(name)
  if not assignment then return { 'gone' } end
  local key = assignment.key
  for _, message in ipairs(assignment.messages) do
    retain(string.match(call('LPOP', queueOf(key)), '|(.*)$'))
    call('HINCRBY', meta, 'depth', -1)
    call('HINCRBY', meta, 'bytes', -#message.body)
  end
  updateReady(key)
  if (isReady() and call('LLEN', RECEIVERS) > 0) or call('LLEN', SENDERS) > 0 then wake() end
  return { 'acknowledged' }
end

-- The step will not take the messages: they go to the next. {'released'} | {'gone'}
COMMANDS['release'] = function(name)
  local assignment = takeAssignment(name)
  if not assignment then return { 'gone' } end
  updateReady(assignment.key)
  if isReady() and call('LLEN', RECEIVERS) > 0 then wake() end
  return { 'released' }
end

-- An admitted sender has been told. {'confirmed'}
COMMANDS['confirm'] = function(waiting)
  call('HDEL', ADMITTED, waiting)
  return { 'confirmed' }
end

-- `run|step key` waits no more; id of its message or ''. {'sent', seq} of a message that is in already | {'left'}
COMMANDS['leave'] = function(waiting, id)
  for _, entry in ipairs(call('LRANGE', RECEIVERS, 0, -1)) do
    if string.sub(entry, 1, #waiting + 1) == waiting .. '|' then call('LREM', RECEIVERS, 1, entry) end
  end
  for _, entry in ipairs(call('LRANGE', SENDERS, 0, -1)) do
    if cjson.decode(entry).waiting == waiting then call('LREM', SENDERS, 1, entry) end
  end
  -- Who stood behind it may fit.
  if call('LLEN', SENDERS) > 0 then wake() end
  local sent = id ~= '' and call('HGET', NUMBERS, id)
  if sent then return { 'sent', tonumber(sent) } end
  return { 'left' }
end

-- Takes everything away. {'removed'}
COMMANDS['remove'] = function()
  for _, field in ipairs(call('HKEYS', meta)) do
    if string.sub(field, 1, 2) == 's:' then call('UNLINK', queueOf(string.sub(field, 3))) end
  end
  call('UNLINK', meta, log, READY, RECEIVERS, SENDERS, CONSUMED, ASSIGNED, HELD, ADMITTED, NUMBERS, IDS)
  call('ZREM', channels, ARGV[2])
  return { 'removed' }
end

-- {depth, bytes, messages so far, receivers, senders}
COMMANDS['look'] = function()
  return { number('depth'), number('bytes'), number('n'), call('LLEN', RECEIVERS), call('LLEN', SENDERS) }
end

return COMMANDS[ARGV[1]](unpack(ARGV, 3))
