-- Shared by every transition of one script call; stands before them. K.… are literals put in by state/src/lua-source.ts.
--
-- Invariants:
-- 1. A transition reads and checks everything first and writes last, so that one refused transition leaves nothing
--    behind and takes nothing from the others of its group (Lua does not roll back).
-- 2. Sorted-set changes, outbox entries and messages of all transitions are gathered and written once, after the last
--    one, outside any pcall: they happen if and only if the transitions' own writes did, in the same atomic script.
--    What changes of a run is gathered, too: `put`, `remove` and `event` write nothing, `writeRun` does.
-- 3. Times in a run's hash and history are milliseconds since the run's creation (`c`), so are fencing tokens:
--    token = max(previous + 1, now - c), which a failover cannot roll back below what a zombie holds.
-- 4. What stands at the top of a file lives on from call to call (the server keeps it): nothing there is of one call but
--    what `begin` sets anew, and what is kept to save work is bounded.
-- Globals are looked up by name each time they are used, locals are not.
local call, pcall, pairs, tonumber = redis.call, pcall, pairs, tonumber
local find, format, match, sub, floor = string.find, string.format, string.match, string.sub, math.floor
-- Of the call under way.
local ARGV, now, nowText, LEASE_END_TEXT, NAMESPACE
local T = {}

-- Group counters: pending + succeeded * 2^17 + failed * 2^34 (see engine/join-counter).
local UNIT, UNIT2 = 131072, 17179869184

-- Lua would write large numbers with an exponent.
local function integer(value) return format('%d', value) end

-- Keeps what `take` makes of a text, for steps of one shape have the same. Nobody may change what it returns.
local MOST_CHARACTERS_KEPT = 200000
local function takenApart(take)
  local kept, characters = {}, 0
  return function(text)
    local found = kept[text]
    if found then return found end
    found = take(text)
    characters = characters + #text
    if characters > MOST_CHARACTERS_KEPT then kept, characters = {}, #text end
    kept[text] = found
    return found
  end
end

-- Gathered writes -------------------------------------------------------------------------------------------------
local sortedSets, outboxes, messages
local function gatherAnew()
  sortedSets = {}   -- key -> member -> score | false
  outboxes = {}     -- tag -> list of entries
  messages = {}     -- list of {channel, text}
end

-- Before anything of a call.
local function begin(arguments)
  ARGV = arguments
  local clock = call('TIME')
  now = clock[1] * 1000 + floor(clock[2] / 1000)
  nowText = format('%d', now)
  LEASE_END_TEXT = format('%d', now + ARGV[1])
  NAMESPACE = ARGV[2]
  gatherAnew()
end

-- `score`: a number, or its text where many have the same.
local function schedule(key, member, score)
  local set = sortedSets[key]
  if not set then set = {} sortedSets[key] = set end
  set[member] = score
end

local function unschedule(key, member) schedule(key, member, false) end

local function send(tag, entry)
  local list = outboxes[tag]
  if not list then list = {} outboxes[tag] = list end
  list[#list + 1] = entry
end

local function announce(channel, text) messages[#messages + 1] = { NAMESPACE .. channel, text } end

-- Calls `change` with gathered writes of its own: they join the others when it succeeds and are forgotten when it fails,
-- as on a run with damaged fields. Returns what `pcall` does.
local function gatherApart(change, ...)
  local outerSets, outerOutboxes, outerMessages = sortedSets, outboxes, messages
  gatherAnew()
  local ok, reply = pcall(change, ...)
  local ownSets, ownOutboxes, ownMessages = sortedSets, outboxes, messages
  sortedSets, outboxes, messages = outerSets, outerOutboxes, outerMessages
  if ok then
    for key, members in pairs(ownSets) do
      for member, score in pairs(members) do schedule(key, member, score) end
    end
    for tag, list in pairs(ownOutboxes) do
      for index = 1, #list do send(tag, list[index]) end
    end
    for index = 1, #ownMessages do messages[#messages + 1] = ownMessages[index] end
  end
  return ok, reply
end

local function flushGathered()
  for key, members in pairs(sortedSets) do
    local add, remove = { 'ZADD', key }, { 'ZREM', key }
    for member, score in pairs(members) do
      if score then
        add[#add + 1] = type(score) == 'string' and score or integer(score)
        add[#add + 1] = member
        if #add > 2000 then call(unpack(add)) add = { 'ZADD', key } end
      else
        remove[#remove + 1] = member
        if #remove > 2000 then call(unpack(remove)) remove = { 'ZREM', key } end
      end
    end
    if #add > 2 then call(unpack(add)) end
    if #remove > 2 then call(unpack(remove)) end
  end
  for tag, list in pairs(outboxes) do
    call('XADD', tag .. K.outbox, '*', 'e', table.concat(list, '\n'))
  end
  for index = 1, #messages do call('PUBLISH', messages[index][1], messages[index][2]) end
end

-- One run while a transition looks at it ----------------------------------------------------------------------------
-- What every transition needs is packed into the one field `m`: status, creation, live attempts, end steps that have not
-- settled, whether the output is an expression, whether a step has failed for good. A lookup in a packed hash costs more
-- than taking a text apart.
local META = '^(%a)|(%d+)|(%d+)|(%d+)|(%d)|(%d)$'

-- `unpack` ends near 8,000 values, so long commands are written in parts (even counts: field and value stay together).
local MAX_PART = 4000
local function callInParts(command)
  if #command <= MAX_PART then return call(unpack(command)) end
  local first = 3
  while first <= #command do
    local last = math.min(first + MAX_PART - 1, #command)
    call(command[1], command[2], unpack(command, first, last))
    first = last + 1
  end
end

local NONE = {}

local function newRun(tag, id)
  local key = tag .. K.run .. id
  -- values: what has been read or put, false where the hash has no such field. fields: what to read with `readRun`.
  return { tag = tag, id = id, key = key, values = {}, fields = { 'HMGET', key, 'm' } }
end

local function want(run, field)
  if run.values[field] == nil then
    run.values[field] = false
    run.fields[#run.fields + 1] = field
  end
end

-- Reads what is wanted of a run; false when there is no such run.
local function readRun(run)
  local fields, values = run.fields, run.values
  for first = 3, #fields, MAX_PART do
    local page = first == 3 and #fields <= MAX_PART and call(unpack(fields))
      or call('HMGET', run.key, unpack(fields, first, math.min(first + MAX_PART - 1, #fields)))
    for index = 1, #page do values[fields[first - 1 + index]] = page[index] end
  end
  if not values.m then return false end
  local status, created, live, pending, output, failed = match(values.m, META)
  run.status, run.createdText = status, created
  run.created, run.live, run.endPending = tonumber(created), tonumber(live), tonumber(pending)
  run.hasOutput, run.hasFailed = output, failed
  run.at = now - run.created
  -- Texts of numbers are made once: formatting is what costs in these scripts.
  run.atText = integer(run.at)
  run.set, run.places = { 'HSET', run.key }, {}
  run.events = { 'RPUSH', run.tag .. K.history .. run.id }
  return run
end

-- Opens a run with the fields that a transition will look at; nil when there is no such run.
local function openRun(tag, id, ...)
  local run = newRun(tag, id)
  for index = 1, select('#', ...) do want(run, (select(index, ...))) end
  return readRun(run) or nil
end

-- A field's value, false when the hash has none. What was wanted costs nothing, anything else a call.
local function stored(run, field)
  local value = run.values[field]
  if value == nil then
    value = call('HGET', run.key, field)
    run.values[field] = value
  end
  return value
end

local function definitionOf(run) return stored(run, 'd') end

local function put(run, field, value)
  run.values[field] = value
  if run.removed then run.removed[field] = nil end
  local set, place = run.set, run.places[field]
  if not place then
    place = #set + 2
    set[place - 1] = field
    run.places[field] = place
  end
  set[place] = value
end

-- A counter changes many times in a group of transitions: it becomes a text when it is written.
local function putCounter(run, field, value)
  run.values[field] = value
  run.counters = run.counters or {}
  run.counters[field] = value
end

local function remove(run, field)
  run.values[field] = false
  run.removed = run.removed or {}
  run.removed[field] = true
end

-- Event line: type|at|step key|attempt|fence|attemptId|worker|data; trailing empty parts are left out.
local function event(run, line)
  local events = run.events
  events[#events + 1] = line
end

local function writeFields(run)
  for field, value in pairs(run.counters or NONE) do put(run, field, integer(value)) end
  local meta = run.status .. '|' .. run.createdText .. '|' .. run.live .. '|' .. run.endPending .. '|' .. run.hasOutput .. '|' .. run.hasFailed
  if meta ~= run.values.m then put(run, 'm', meta) end
  if #run.set > 2 then callInParts(run.set) end
  for field in pairs(run.removed or NONE) do call('HDEL', run.key, field) end
end

local function writeRunNow(run)
  -- The history first: it was not read, so this is what can fail.
  if #run.events > 2 then callInParts(run.events) end
  if run.deadLetters then call(unpack(run.deadLetters)) end
  writeFields(run)
end

-- Transitions say so when they are through with a run. The script of the hot ones writes each run once for all of them.
local writeRun = writeRunNow

local function isActive(status) return status == 'n' or status == 'r' or status == 'p' end
-- Neither: `e`, ending, and `a`, ended and being reopened.
local function isTerminal(status) return status == 'S' or status == 'F' or status == 'C' or status == 'T' end

-- Step headers: parts joined by '|'; the first is the state (see state/src/step-header.ts). Fourteen parts at most.
local HEADER = '^(%a)' .. string.rep('|?([^|]*)', 12) .. '$'
local function parts(header) return { match(header, HEADER) } end

-- A step of the definition has failed for good: it is a dead letter once its run has ended failed or timed out.
local function keepDeadLetter(run, key)
  local letters = run.tag .. K.deadLetters .. run.id
  -- Nothing has been written yet: a damaged key fails here.
  if not run.deadLetters then call('ZCARD', letters) end
  run.deadLetters = run.deadLetters or { 'ZADD', letters }
  local add = run.deadLetters
  add[#add + 1] = key
  add[#add + 1] = key
end

-- Ends the run. `status`: S F C T. Only called when nothing of the run is live.
local TERMINAL_EVENT = { S = K.eventRunSucceeded, F = K.eventRunFailed, C = K.eventRunCancelled, T = K.eventRunTimedOut }
local function finish(run, status, data)
  run.status = status
  put(run, 'z', run.atText)
  local line = TERMINAL_EVENT[status] .. '|' .. run.atText
  if data then line = line .. '||||||' .. data end
  event(run, line)
  unschedule(run.tag .. K.active, run.id)
  unschedule(run.tag .. K.due, 'r||' .. run.id)
  schedule(run.tag .. K.ended, run.id, now)
  if (status == 'F' or status == 'T') and (run.deadLetters or call('EXISTS', run.tag .. K.deadLetters .. run.id) == 1) then
    schedule(run.tag .. K.dead, run.id, now)
  end
  unschedule(run.tag .. K.cancels, run.id)
  -- A run that did not end by itself may have timers of steps that will never start: the relay sweeps them.
  -- One whose definition has been lost cannot be swept; it ends all the same.
  if status ~= 'S' and definitionOf(run) then send(run.tag, 'C|' .. run.id .. '|' .. definitionOf(run)) end
  announce(K.channelEnded, run.id)
end

local ENDING_STATUS = { f = 'F', c = 'C', t = 'T' }

-- Cleanups: compensations of steps that have succeeded, and what attempts have registered. `u` of a run that has any is
-- `registered|left|failed|begun`; `u0`, `u1`, … are they, in the order of registration: `step key|handler|input`, of a
-- compensation the step key alone. They are made last first, one after the other. The key of the third of step 3 is `3!2`.
local CLEANUPS = '^(%d+)|(%d+)|(%d+)|([01])$'
local NO_CLEANUPS = { registered = 0, left = 0, failed = 0, begun = '0' }
local LOST_CLEANUP = '{"code":"DATA_CORRUPTION","message":"what was registered cannot be read","type":"non_retryable"}'

-- Nil when the run has none.
local function cleanupsOf(run)
  local text = stored(run, 'u')
  if not text then return nil end
  local registered, left, failed, begun = string.match(text, CLEANUPS)
  if not registered then return { damaged = true, registered = 0, left = 0, failed = 1, begun = '0' } end
  return { registered = tonumber(registered), left = tonumber(left), failed = tonumber(failed), begun = begun }
end

local function putCleanups(run, cleanups)
  put(run, 'u', integer(cleanups.registered) .. '|' .. integer(cleanups.left) .. '|' .. integer(cleanups.failed) .. '|'
    .. cleanups.begun)
end

-- Returns the cleanup's number.
local function registerCleanup(run, entry)
  local cleanups = cleanupsOf(run) or NO_CLEANUPS
  local number = integer(cleanups.registered)
  put(run, 'u' .. number, entry)
  putCleanups(run, { registered = cleanups.registered + 1, left = cleanups.left + 1, failed = cleanups.failed, begun = '0' })
  return number
end

local function finishEnding(run)
  local ending = stored(run, 'x')
  finish(run, ENDING_STATUS[string.sub(ending, 1, 1)], string.sub(ending, 3))
end

-- Hands out the cleanup whose turn it is, or ends the run when none is left. What cannot be read has failed.
local function nextCleanup(run, cleanups)
  while cleanups.left > 0 do
    local number = integer(cleanups.left - 1)
    local entry = definitionOf(run) and stored(run, 'u' .. number)
    local stepKey = entry and string.match(entry, '^(%d+%.?%d*)')
    if stepKey then
      putCleanups(run, cleanups)
      send(run.tag, 'S|' .. run.id .. '|' .. definitionOf(run) .. '|' .. stepKey .. '!' .. number)
      return
    end
    event(run, K.eventCleanupFailed .. '|' .. run.atText .. '|!' .. number .. '|||||' .. LOST_CLEANUP)
    cleanups.left, cleanups.failed = cleanups.left - 1, cleanups.failed + 1
  end
  putCleanups(run, cleanups)
  finishEnding(run)
end

-- Nothing ordinary of an ending run is live any more: its cleanups begin, or it ends.
local function endOrCleanUp(run)
  local cleanups = cleanupsOf(run)
  if not cleanups then return finishEnding(run) end
  if cleanups.begun == '1' then return end
  cleanups.begun = '1'
  if cleanups.damaged then event(run, K.eventCleanupFailed .. '|' .. run.atText .. '||||||' .. LOST_CLEANUP) end
  -- Workers need not hear of it any longer.
  unschedule(run.tag .. K.cancels, run.id)
  nextCleanup(run, cleanups)
end

-- After any change: the run ends when nothing is live and either it is ending or every end step has settled.
local function finishWhenDone(run)
  if run.live > 0 then return end
  if run.status == 'e' then
    endOrCleanUp(run)
  elseif run.endPending == 0 and isActive(run.status) then
    if run.hasFailed == '1' then
      if not stored(run, 'u') then return finish(run, 'F', stored(run, 'f')) end
      run.status = 'e'
      put(run, 'x', 'f|' .. stored(run, 'f'))
      endOrCleanUp(run)
    elseif run.hasOutput == '1' then
      -- The output is an expression: the relay evaluates it and applies `finish-run`.
      send(run.tag, 'F|' .. run.id .. '|' .. definitionOf(run))
    else
      finish(run, 'S')
    end
  end
end

-- Stops new steps at once; running attempts hear of it by the renewal reply, hastened by a message.
local function beginEnding(run, kind, data)
  run.status = 'e'
  put(run, 'x', kind .. '|' .. data)
  schedule(run.tag .. K.cancels, run.id, now)
  if run.live > 0 then announce(K.channelAborts, run.id) end
end

-- Edges out of a settled step, as one text: `group|delta|start value|join (y: any)|key of a lone member the caller may
-- continue with or ''|its attemptMs`, joined by ';'. Steps of one shape have the same text: it is taken apart once.
local edgesOf = takenApart(function(text)
  local edges = {}
  for group, delta, start, join, key, attemptMs in string.gmatch(text, '(%d+)|(-?%d+)|(%d+)|(%a)|([^|;]*)|([^;]*)') do
    edges[#edges + 1] = { group = group, field = 'g' .. group, delta = tonumber(delta), start = tonumber(start),
      any = join == 'y', key = key, attemptMs = attemptMs }
  end
  return edges
end)

local function wantEdges(run, edges)
  if #edges > 0 then want(run, 'a') end
  for index = 1, #edges do want(run, edges[index].field) end
end

-- Counts down the groups that a settled step feeds. Returns the list of those that fired: {edge, counter, clean}.
local function countDown(run, edges)
  local fired = {}
  for index = 1, #edges do
    local edge = edges[index]
    local before = tonumber(stored(run, edge.field) or edge.start)
    local after = before + edge.delta
    putCounter(run, edge.field, after)
    local pending = after % UNIT
    local fires = pending == 0
    if edge.any then
      local succeeded = floor(after / UNIT) % UNIT
      local succeededBefore = floor(before / UNIT) % UNIT
      fires = (succeededBefore == 0 and succeeded > 0) or (pending == 0 and succeeded == 0)
    end
    if fires then fired[#fired + 1] = { edge = edge, counter = integer(after), clean = after < UNIT2 } end
  end
  return fired
end

local function announceReady(run, group)
  event(run, K.eventStepReady .. '|' .. run.atText .. '|g' .. group)
end

-- How often the run has been opened, as text: see retry-run.lua.
local function openingTextOf(run) return match(stored(run, 'a') or '1', '^%d+') end

-- What a scheduler decided of a group that fired before the run was reopened says nothing of what the group is now. '' of
-- those who act on what the step is and not on its group.
local function isOfOpening(run, opening) return opening == '' or opening == openingTextOf(run) end

-- The map that an item belongs to.
local function parentOf(key)
  return find(key, '.', 1, true) and match(key, '^(%d+)%.')
end

-- True when a group's counter lets its steps begin.
local function hasFired(counter, any)
  return counter and (counter % UNIT == 0 or (any and floor(counter / UNIT) % UNIT > 0))
end

local function sendFired(run, fired)
  local opening = #fired > 0 and stored(run, 'a') and '|' .. openingTextOf(run) or ''
  for index = 1, #fired do
    local group = fired[index].edge.group
    announceReady(run, group)
    send(run.tag, 'G|' .. run.id .. '|' .. definitionOf(run) .. '|' .. group .. '|' .. fired[index].counter .. opening)
  end
end

-- The first attempt of a step when this call has started others of the run: what they have in common is put together once.
local function startFirstAttempt(run, key, attemptId, worker, attemptMs, head)
  local at, same = run.atText, run.firstAttempts
  if not same or same.worker ~= worker or same.attemptMs ~= attemptMs then
    same = {
      worker = worker,
      attemptMs = attemptMs,
      header = 'R|0|0|' .. at .. '|',
      afterAttempt = '|' .. worker .. '|' .. at .. '|' .. at .. '|',
      deadline = '|' .. integer(run.at + attemptMs),
      event = K.eventAttemptStarted .. '|' .. at .. '|',
      afterKey = '|1|' .. at .. '|',
      eventEnd = '|' .. worker,
    }
    run.firstAttempts = same
  end
  put(run, 's' .. key, same.header .. attemptId .. same.afterAttempt .. head .. same.deadline)
  event(run, same.event .. key .. same.afterKey .. attemptId .. same.eventEnd)
  return at, '0', '0', at
end

-- Starts an attempt: header, event, fence. `previous` are the parts of the step's last header or nil; `head` names the
-- in-flight entry: a continued step keeps that of the step the worker's chain began with.
local function startAttempt(run, key, attemptId, worker, previous, attemptMs, head, started)
  local at = run.atText
  if not previous and run.starts then return startFirstAttempt(run, key, attemptId, worker, attemptMs, head) end
  run.starts = true
  local failures, crashes, fence, first, attempt = '0', '0', at, at, '1'
  if previous then
    failures, crashes = previous[2], previous[3]
    attempt = integer(failures + 1)
    local before = tonumber(previous[4])
    if before and before + 1 > run.at then fence = integer(before + 1) end
    if previous[7] ~= '' then first = previous[7] end
  end
  put(run, 's' .. key, 'R|' .. failures .. '|' .. crashes .. '|' .. fence .. '|' .. attemptId .. '|' .. worker .. '|' .. first
    .. '|' .. at .. '|' .. head .. '|' .. integer(run.at + attemptMs))
  event(run, (started or K.eventAttemptStarted) .. '|' .. at .. '|' .. key .. '|' .. attempt .. '|' .. fence .. '|' .. attemptId .. '|' .. worker)
  return fence, failures, crashes, first
end

-- Ends the in-flight entry of an attempt whose chain began with the step `head`.
local function endLeaseOf(run, head, key)
  unschedule(run.tag .. K.lease, run.id .. '|' .. head)
  if head ~= key then remove(run, 'c' .. head) end
end

-- The same, of an attempt whose header parts are given.
local function endLease(run, header, key) endLeaseOf(run, header[9], key) end

-- A header of a later attempt, or none: the result is refused and recorded, whatever the run's state.
local function rejectAttempt(run, key, header, fence, attemptId, reason)
  event(run, table.concat({ K.eventAttemptRejected, integer(run.at), key, '', fence, attemptId, '',
    cjson.encode({ reason = reason, state = header and header[1] or 'none' }) }, '|'))
  writeRun(run)
  return { 'rejected', reason }
end

-- True when the header is of a running attempt that the caller holds.
local function holds(header, fence, attemptId)
  return header and header[1] == 'R' and header[4] == fence and header[5] == attemptId
end

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
  local breaker = header[1] == 'P' and string.match(header[10] or '', BREAKER)
  if breaker then unschedule(run.tag .. K.parkedBehind .. breaker, key .. '|' .. run.id) end
end

local function errorReply(failure)
  return { 'error', type(failure) == 'table' and (failure.err or 'error') or tostring(failure) }
end
