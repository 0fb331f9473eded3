-- Shared by every transition of one script call; stands before them. K.… are literals put in by state/src/lua-source.ts.
--
-- Invariants:
-- 1. A transition reads and checks everything first and writes last, so that one refused transition leaves nothing
--    behind and takes nothing from the others of its group (Lua does not roll back).
-- 2. Sorted-set changes, outbox entries and messages of all transitions are gathered and written once, after the last
--    one, outside any pcall: they happen if and only if the transitions' own writes did, in the same atomic script.
-- 3. Times in a run's hash and history are milliseconds since the run's creation (`c`), so are fencing tokens:
--    token = max(previous + 1, now - c), which a failover cannot roll back below what a zombie holds.
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local LEASE_MS = tonumber(ARGV[1])
local NAMESPACE = ARGV[2]
local T = {}

-- Group counters: pending + succeeded * 2^17 + failed * 2^34 (see engine/join-counter).
local UNIT, UNIT2 = 131072, 17179869184

-- Lua would write large numbers with an exponent.
local function integer(value) return string.format('%d', value) end

-- Gathered writes -------------------------------------------------------------------------------------------------
local sortedSets = {}   -- key -> member -> score | false
local outboxes = {}     -- tag -> list of entries
local messages = {}     -- list of {channel, text}

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

local function flushGathered()
  for key, members in pairs(sortedSets) do
    local add, remove = { 'ZADD', key }, { 'ZREM', key }
    for member, score in pairs(members) do
      if score then
        add[#add + 1] = integer(score)
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

local function runFields(tag, id, ...) return { 'HMGET', tag .. K.run .. id, 'm', ... } end

-- Reads the fields (made by `runFields`, more may be appended); nil when there is no such run. What was appended is
-- `run[2]` and up, false where the hash has no such field.
local function openRun(tag, id, fields)
  local run
  if #fields <= 4000 then
    run = call(unpack(fields))
  else
    run = {}
    for first = 3, #fields, 4000 do
      local page = call('HMGET', fields[2], unpack(fields, first, math.min(first + 3999, #fields)))
      for index = 1, #page do run[first - 3 + index] = page[index] end
    end
  end
  if not run[1] then return nil end
  local status, created, live, pending, output, failed = string.match(run[1], META)
  run.tag, run.id, run.key, run.status = tag, id, fields[2], status
  run.created, run.live, run.endPending = tonumber(created), tonumber(live), tonumber(pending)
  run.hasOutput, run.hasFailed = output, failed
  run.at = now - run.created
  run.set = { 'HSET', fields[2] }
  run.events = { 'RPUSH', tag .. K.history .. id }
  return run
end

local function definitionOf(run)
  run.definition = run.definition or call('HGET', run.key, 'd')
  return run.definition
end

local function put(run, field, value)
  local set = run.set
  set[#set + 1] = field
  set[#set + 1] = value
end

-- Event line: type|at|step key|attempt|fence|attemptId|worker|data; trailing empty parts are left out.
local function event(run, line)
  local events = run.events
  events[#events + 1] = line
end

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

local function writeRun(run)
  local meta = string.format('%s|%d|%d|%d|%s|%s', run.status, run.created, run.live, run.endPending, run.hasOutput, run.hasFailed)
  if meta ~= run[1] then put(run, 'm', meta) end
  if #run.set > 2 then callInParts(run.set) end
  if #run.events > 2 then callInParts(run.events) end
end

local function isActive(status) return status == 'n' or status == 'r' or status == 'p' end
local function isTerminal(status) return status == 'S' or status == 'F' or status == 'C' or status == 'T' end

-- Step headers: parts joined by '|'; the first is the state (see state/src/step-header.ts). Fourteen parts at most.
local HEADER = '^(%a)' .. string.rep('|?([^|]*)', 12) .. '$'
local function parts(header) return { string.match(header, HEADER) } end

-- Ends the run. `status`: S F C T. Only called when nothing of the run is live.
local TERMINAL_EVENT = { S = K.eventRunSucceeded, F = K.eventRunFailed, C = K.eventRunCancelled, T = K.eventRunTimedOut }
local function finish(run, status, data)
  run.status = status
  put(run, 'z', integer(run.at))
  local line = TERMINAL_EVENT[status] .. '|' .. integer(run.at)
  if data then line = line .. '||||||' .. data end
  event(run, line)
  unschedule(run.tag .. K.active, run.id)
  unschedule(run.tag .. K.due, 'r||' .. run.id)
  schedule(run.tag .. K.ended, run.id, now)
  unschedule(run.tag .. K.cancels, run.id)
  -- A run that did not end by itself may have timers of steps that will never start: the relay sweeps them.
  if status ~= 'S' then send(run.tag, 'C|' .. run.id .. '|' .. definitionOf(run)) end
  announce(K.channelEnded, run.id)
end

local ENDING_STATUS = { f = 'F', c = 'C', t = 'T' }

-- After any change: the run ends when nothing is live and either it is ending or every end step has settled.
local function finishWhenDone(run)
  if run.live > 0 then return end
  if run.status == 'e' then
    local ending = run.ending or call('HGET', run.key, 'x')
    finish(run, ENDING_STATUS[string.sub(ending, 1, 1)], string.sub(ending, 3))
  elseif run.endPending == 0 and isActive(run.status) then
    if run.hasFailed == '1' then
      finish(run, 'F', run.failed or call('HGET', run.key, 'f'))
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
  run.ending = kind .. '|' .. data
  run.status = 'e'
  put(run, 'x', run.ending)
  schedule(run.tag .. K.cancels, run.id, now)
  if run.live > 0 then announce(K.channelAborts, run.id) end
end

-- Counts down the groups that a settled step feeds. ARGV from `a`: count, then per edge:
-- group, delta, start value, join (y: any), key of a lone member the caller may continue with or '', its attemptId,
-- its attemptMs. Returns the list of fired groups as {index in edges, group, counter, key, attemptId, attemptMs}.
-- `values[i]` is the stored counter of the i-th edge's group.
local EDGE_SIZE = 7
local function edgeFields(a, fields)
  local count = tonumber(ARGV[a])
  for index = 0, count - 1 do fields[#fields + 1] = 'g' .. ARGV[a + 1 + index * EDGE_SIZE] end
  return count
end

local function countDown(run, a, firstValue)
  local fired = {}
  local count = tonumber(ARGV[a])
  for index = 0, count - 1 do
    local at = a + 1 + index * EDGE_SIZE
    local before = tonumber(run[firstValue + index]) or tonumber(ARGV[at + 2])
    local after = before + tonumber(ARGV[at + 1])
    put(run, 'g' .. ARGV[at], integer(after))
    local pending = after % UNIT
    local succeeded = math.floor(after / UNIT) % UNIT
    local fires
    if ARGV[at + 3] == 'y' then
      local succeededBefore = math.floor(before / UNIT) % UNIT
      fires = (succeededBefore == 0 and succeeded > 0) or (pending == 0 and succeeded == 0)
    else
      fires = pending == 0
    end
    if fires then
      fired[#fired + 1] = { group = ARGV[at], counter = integer(after), key = ARGV[at + 4],
        attemptId = ARGV[at + 5], attemptMs = ARGV[at + 6], clean = after < UNIT2 }
    end
  end
  return fired
end

local function announceReady(run, group)
  event(run, K.eventStepReady .. '|' .. integer(run.at) .. '|g' .. group)
end

local function sendGroup(run, group, counter)
  announceReady(run, group)
  send(run.tag, 'G|' .. run.id .. '|' .. definitionOf(run) .. '|' .. group .. '|' .. counter)
end

-- Starts an attempt: header, event, fence. `previous` are the parts of the step's last header or nil; `head` names the
-- in-flight entry: a continued step keeps that of the step the worker's chain began with.
local function startAttempt(run, key, attemptId, worker, previous, attemptMs, head)
  local failures, crashes, fence, first = '0', '0', run.at, run.at
  if previous then
    failures, crashes = previous[2], previous[3]
    local before = tonumber(previous[4])
    if before and before + 1 > fence then fence = before + 1 end
    first = tonumber(previous[7]) or first
  end
  put(run, 's' .. key, string.format('R|%s|%s|%d|%s|%s|%d|%d|%s|%d', failures, crashes, fence, attemptId, worker, first,
    run.at, head, run.at + attemptMs))
  event(run, string.format('%s|%d|%s|%d|%d|%s|%s', K.eventAttemptStarted, run.at, key, failures + 1, fence, attemptId, worker))
  return fence, failures, crashes, first
end

-- Ends the in-flight entry of an attempt whose header parts are given.
local function endLease(run, header, key)
  local head = header[9]
  unschedule(run.tag .. K.lease, run.id .. '|' .. head)
  if head ~= key then call('HDEL', run.key, 'c' .. head) end
end

local function rejectAttempt(run, key, header, fence, attemptId, reason)
  -- A header of a later attempt, or none: the result is refused and recorded, whatever the run's state.
  call('RPUSH', run.events[2], table.concat({ K.eventAttemptRejected, integer(run.at), key, '', fence, attemptId, '',
    cjson.encode({ reason = reason, state = header and header[1] or 'none' }) }, '|'))
  return { 'rejected', reason }
end

-- True when the header is of a running attempt that the caller holds.
local function holds(header, fence, attemptId)
  return header and header[1] == 'R' and header[4] == fence and header[5] == attemptId
end
