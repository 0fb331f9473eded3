-- needs: call, indexes
-- Failures by what they have in common: handler, code and the message without what varies in it. The fingerprint is the
-- beginning of a digest of these.
--
-- K.errorGroup is the group: code, type, handler, message, count, first, last. K.errorRuns are the runs in which it occurred, by
-- creation; FIELD.errors of a run names its groups. K.errors has the groups by when they occurred last: those that have not for
-- the longest time make room.

local MAX_GROUPS = 500
local MAX_GROUPS_OF_A_RUN = 20
local FINGERPRINT_CHARACTERS = 16

local function forgetGroup(tag, fingerprint)
  call('UNLINK', tag .. K.errorGroup .. fingerprint, tag .. K.errorRuns .. fingerprint)
end

local function noteErrorOfRun(run, fingerprint)
  local known = call('HGET', run.key, FIELD.errors) or ''
  local isFull = #known >= MAX_GROUPS_OF_A_RUN * (FINGERPRINT_CHARACTERS + 1)
  if isFull or find(known, fingerprint, 1, true) then return end
  call('HSET', run.key, FIELD.errors, known .. fingerprint .. ',')
  call('ZADD', run.tag .. K.errorRuns .. fingerprint, run.createdText, run.id)
end

-- Called behind the last write of a transition; `message` is normalised and not too long.
local function recordError(run, handler, code, kind, message)
  local tag = run.tag
  local fingerprint = sub(redis.sha1hex(handler .. '\n' .. code .. '\n' .. message), 1, FINGERPRINT_CHARACTERS)
  local group = tag .. K.errorGroup .. fingerprint
  if call('HINCRBY', group, 'count', 1) == 1 then
    call('HSET', group, 'handler', handler, 'code', code, 'type', kind, 'message', message, 'first', nowText)
  end
  call('HSET', group, 'last', nowText)
  call('ZADD', tag .. K.errors, nowText, fingerprint)
  noteErrorOfRun(run, fingerprint)
  local tooMany = call('ZCARD', tag .. K.errors) - MAX_GROUPS
  if tooMany > 0 then
    local oldest = call('ZPOPMIN', tag .. K.errors, math.min(tooMany, 10))
    for index = 1, #oldest, 2 do forgetGroup(tag, oldest[index]) end
  end
end

-- A run in which the group occurred is pruned. With the last one the group goes.
forgetErrorRun = function(tag, fingerprint, id)
  local runs = tag .. K.errorRuns .. fingerprint
  call('ZREM', runs, id)
  if call('EXISTS', runs) == 0 then
    forgetGroup(tag, fingerprint)
    call('ZREM', tag .. K.errors, fingerprint)
  end
end
