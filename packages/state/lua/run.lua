-- needs: call
-- One run while a transition looks at it.
--
-- Invariants:
-- 1. What changes of a run is gathered: `put`, `remove` and `event` write nothing, `writeRun` does.
-- 2. Times in a run's hash and history are milliseconds since the run's creation (`c`), so are fencing tokens:
--    token = max(previous + 1, now - c), which a failover cannot roll back below what a zombie holds.

-- What every transition needs is packed into the one field `m`: status, creation, live attempts, end steps that have not
-- settled, whether the output is an expression, whether a step has failed for good; of a run in which steps were undone and
-- made again a last part, `u`. A lookup in a packed hash costs more than taking a text apart.
local META = '^(%a)|(%d+)|(%d+)|(%d+)|(%d)|(%d)|?(' .. UNDONE_STEPS .. '?)$'

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

-- A table that grows is made anew at each doubling, which cost a third of a transition: what a run usually has is named when it
-- is made, and its lists have room.
local function newRun(tag, id)
  local key = tag .. K.run .. id
  return {
    tag = tag, id = id, key = key,
    -- What has been read or put, false where the hash has no such field.
    values = {},
    -- What to read with `readRun`.
    fields = { 'HMGET', key, FIELD.meta, nil, nil, nil, nil, nil },
    -- What `readRun` sets.
    status = false, createdText = false, created = false, live = false, endPending = false, hasOutput = false, hasFailed = false,
    at = false, atText = false, hasUndone = false,
    readStatus = false, readLive = false, readEndPending = false, readHasFailed = false,
    -- What is to be written.
    set = false, places = false, events = false, counters = false, removed = false, deadLetters = false, held = false,
    changed = false,
    -- What the sets of runs need to know: see indexes.lua.
    waits = false, waitsBefore = false,
    -- What several transitions of a group have in common.
    starts = false, firstAttempts = false, claimedText = false, readyGroup = false,
  }
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
  local status, created, live, pending, output, failed, undone = match(values.m, META)
  run.status, run.createdText = status, created
  run.created, run.live, run.endPending = tonumber(created), tonumber(live), tonumber(pending)
  run.hasOutput, run.hasFailed, run.hasUndone = output, failed, undone == UNDONE_STEPS
  run.readStatus, run.readLive, run.readEndPending, run.readHasFailed = status, run.live, run.endPending, failed
  run.at = now - run.created
  -- Texts of numbers are made once: formatting is what costs in these scripts.
  run.atText = integer(run.at)
  run.set, run.places = { 'HSET', run.key, nil, nil, nil, nil, nil, nil, nil, nil }, {}
  run.events = { 'RPUSH', run.tag .. K.history .. run.id, nil, nil, nil, nil }
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

local function definitionOf(run) return stored(run, FIELD.definition) end

-- What the reply about an attempt ends with when its step was undone before: the opening in which it was made again, which its
-- idempotency key names. Runs in which nothing was undone do not pay for a lookup.
local function redoneIn(run, key)
  local opening = run.hasUndone and stored(run, PREFIX.redoneIn .. key)
  return opening and '|' .. opening or ''
end

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

-- The same, of its parts.
local function recordEvent(run, parts) event(run, table.concat(parts, '|')) end

-- Set in indexes.lua.
local indexRun

local function writeFields(run)
  if run.status ~= run.readStatus or (run.live == 0) ~= (run.readLive == 0) or run.waitsBefore then indexRun(run) end
  for field, value in pairs(run.counters or NONE) do put(run, field, integer(value)) end
  if run.status ~= run.readStatus or run.live ~= run.readLive or run.endPending ~= run.readEndPending
    or run.hasFailed ~= run.readHasFailed then
    put(run, FIELD.meta, run.status .. '|' .. run.createdText .. '|' .. run.live .. '|' .. run.endPending .. '|' .. run.hasOutput
      .. '|' .. run.hasFailed .. (run.hasUndone and '|' .. UNDONE_STEPS or ''))
  end
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

local function isActive(status) return status == RUN.pending or status == RUN.running or status == RUN.paused end
-- Neither: `e`, ending, and `a`, ended and being reopened.
local function isTerminal(status)
  return status == RUN.succeeded or status == RUN.failed or status == RUN.cancelled or status == RUN.timedOut
end
