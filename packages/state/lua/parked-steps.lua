-- needs: call, pending-writes
-- Steps that a breaker keeps parked are indexed by when they are looked at again, so that people can be told how many they
-- are. An entry whose time has long passed counts for nothing: whatever ends the step need not take it away.
local PARKED_INDEX_MS = 600000
local BREAKER = '^breaker:(.+)$'
local function indexParked(run, key, reason, forMs)
  local breaker = string.match(reason, BREAKER)
  if not breaker then return end
  local index = run.tag .. K.parkedBehind .. breaker
  call('ZADD', index, integer(now + forMs), key .. '|' .. run.id)
  call('PEXPIRE', index, integer(forMs + PARKED_INDEX_MS))
end

-- Of a parked step whose header parts are given: nothing keeps it waiting any more.
local function unindexParked(run, key, header)
  local breaker = header[H.state] == STEP.parked and string.match(header[H.reason] or '', BREAKER)
  if breaker then unschedule(run.tag .. K.parkedBehind .. breaker, key .. '|' .. run.id) end
end
