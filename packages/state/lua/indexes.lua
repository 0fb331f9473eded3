-- needs: call, pending-writes, run
-- Sets of runs that lists and counts read: by status, workflow and tag, by what a run waits for, and by when it changed last.
-- They follow from the run's hash alone, and are written by the transition that changes it.
--
-- Invariants:
-- 1. A run is in the set of its status and in none of another (K.facet `status||`). One that has ended is also in those of its
--    status with its workflow, with each of its tags, and with both (`status|workflow|tag`, what does not matter empty).
--    Runs that have not ended are few: readers filter them.
-- 2. A run is in the set of a reason (K.waiting) when at least one of its steps waits for it. FIELD.waits has how many:
--    `reason=count`, joined by ';'. Of an active run these are its steps, of an ending one its cleanups, of others nothing.
-- 3. A running run with nothing under way and nothing that waits for another reason is in `queued`. A pending one is
--    queued by its status alone, a paused one paused: they are in no set of a reason.
-- Scores are the runs' creation, so that a list by any set has the same order.

local QUEUED = 'queued'
-- Set in error-groups.lua.
local forgetErrorRun

-- What a retried run is while it is being reopened users see as pending.
local function indexedStatus(letter) return letter == RUN.reopening and RUN.pending or letter end

local INDEXED_FIELDS = { FIELD.workflow, FIELD.tags, FIELD.waits }
local function readIndexed(run)
  local values = run.values
  local found = call('HMGET', run.key, unpack(INDEXED_FIELDS))
  for index = 1, #INDEXED_FIELDS do
    local field = INDEXED_FIELDS[index]
    if values[field] == nil then values[field] = found[index] end
  end
end

-- Workflow and tags. Damaged tags are none: they must not keep a run from ending.
local function labelsFrom(workflow, tagsJson)
  local ok, list = true, NONE
  if tagsJson then ok, list = pcall(cjson.decode, tagsJson) end
  return { workflow = workflow or '', tags = ok and type(list) == 'table' and list or NONE }
end

-- Calls `change` with each set that a run of this status is in.
local function eachFacet(tag, status, labels, change, id, score)
  local facet = tag .. K.facet .. status .. '|'
  change(facet .. '|', id, score)
  if not isTerminal(status) then return end
  change(facet .. labels.workflow .. '|', id, score)
  for index = 1, #labels.tags do
    local label = tostring(labels.tags[index])
    change(facet .. '|' .. label, id, score)
    change(facet .. labels.workflow .. '|' .. label, id, score)
  end
end

-- Calls `change` with each set of a workflow and a tag that a run is in, whatever its status.
local function eachLabelPair(tag, labels, change, id, score)
  for index = 1, #labels.tags do
    change(tag .. K.facet .. '|' .. labels.workflow .. '|' .. tostring(labels.tags[index]), id, score)
  end
end

local WAITS_OUTSIDE = { approval = 'approval', webhook = 'webhook', workflow = 'child-run' }

-- What the header of a step, given by its parts, says that it waits for; nil when it does not.
local function waitOf(header)
  local state = header[H.state]
  if state == STEP.backingOff then return 'backing-off' end
  if state == STEP.delaying then return 'delay' end
  if state == STEP.parked then return header[H.reason] ~= '' and header[H.reason] or nil end
  -- Between two iterations of a loop a scheduler decides.
  if state ~= STEP.waiting or header[H.answer] ~= '' or header[H.waitKind] == LOOP_WAIT then return nil end
  return WAITS_OUTSIDE[header[H.waitKind]] or header[H.waitKind] .. ':' .. header[H.subject]
end

-- How many steps wait for each reason.
local function stepWaitsOf(run)
  if run.waits then return run.waits end
  local waits = {}
  for reason, count in string.gmatch(stored(run, FIELD.waits) or '', '([^=;]+)=(%d+)') do waits[reason] = tonumber(count) end
  run.waits = waits
  return waits
end

-- A step, or a cleanup, does not wait for `from` any more (nil: it did not wait), and waits for `to` (nil: it does not).
local function moveWait(run, key, from, to)
  if from == to then return end
  local counts = isActive(run.status)
  if find(key, '!', 1, true) then counts = run.status == RUN.ending end
  if not counts then return end
  local waits = stepWaitsOf(run)
  run.waitsBefore = run.waitsBefore or {}
  for _, reason in pairs({ from, to }) do
    if run.waitsBefore[reason] == nil then run.waitsBefore[reason] = waits[reason] or 0 end
  end
  if from and waits[from] then waits[from] = waits[from] > 1 and waits[from] - 1 or nil end
  if to then waits[to] = (waits[to] or 0) + 1 end
end

-- The sets that a run with these waits is in: each reason, and of `breaker:payments` its kind `breaker`.
local function waitSets(waits)
  local sets = {}
  for reason in pairs(waits) do
    sets[reason] = true
    local kind = match(reason, '^([^:]+):')
    if kind then sets[kind] = true end
  end
  return sets
end

local function putStepWaits(run, waits)
  local list = {}
  for reason, count in pairs(waits) do list[#list + 1] = reason .. '=' .. integer(count) end
  table.sort(list)
  if #list > 0 then
    put(run, FIELD.waits, table.concat(list, ';'))
  elseif stored(run, FIELD.waits) then
    remove(run, FIELD.waits)
  end
end

-- Moves the run from the sets of `before` to those of `after`.
local function moveSets(run, before, after)
  for name in pairs(before) do
    if not after[name] then unschedule(run.tag .. K.waiting .. name, run.id) end
  end
  for name in pairs(after) do
    if not before[name] then
      schedule(run.tag .. K.waiting .. name, run.id, run.createdText)
      -- Only a hint for who counts: a damaged one keeps nobody from waiting.
      redis.pcall('SADD', run.tag .. K.waits, name)
    end
  end
end

-- Writes what has changed of the run's waits. `keeps`: false when its status says that nothing of it waits any more.
local function indexWaits(run, waits, keeps)
  local old = {}
  for reason in pairs(waits) do old[reason] = true end
  for reason, count in pairs(run.waitsBefore or NONE) do old[reason] = count > 0 or nil end
  local left = keeps and waits or {}
  run.waits = left
  moveSets(run, waitSets(old), waitSets(left))
  putStepWaits(run, left)
  return left
end

-- Called when a run is written whose status, live attempts or waits have changed.
indexRun = function(run)
  local before, after = run.readStatus, run.status
  local wasIdle = before == RUN.running and run.readLive == 0
  local isIdle = after == RUN.running and run.live == 0
  local keeps = isActive(after) or after == RUN.ending and before == RUN.ending
  if isTerminal(before) or isTerminal(after) then readIndexed(run) end
  local waits = (isIdle or not keeps) and stepWaitsOf(run) or run.waits
  if run.waitsBefore or not keeps and next(waits) then waits = indexWaits(run, waits, keeps) end
  if isIdle and not next(waits) then
    schedule(run.tag .. K.waiting .. QUEUED, run.id, run.createdText)
  elseif wasIdle then
    unschedule(run.tag .. K.waiting .. QUEUED, run.id)
  end
  local from, to = indexedStatus(before), indexedStatus(after)
  if from ~= to then
    local labels = labelsFrom(run.values[FIELD.workflow], run.values[FIELD.tags])
    eachFacet(run.tag, from, labels, unschedule, run.id)
    eachFacet(run.tag, to, labels, schedule, run.id, run.createdText)
  end
  -- The end of a run has an index of its own.
  if not isTerminal(after) then schedule(run.tag .. K.changed, run.id, nowText) end
end

-- Of a run that is being created.
local function indexNewRun(tag, id, labels, runNumber)
  schedule(tag .. K.facet .. RUN.pending .. '||', id, nowText)
  eachLabelPair(tag, labels, schedule, id, nowText)
  schedule(tag .. K.ids, id, runNumber)
end

-- Of a run that has ended and is taken away. `errors`: what it has of FIELD.errors.
local function unindexRun(tag, id, status, labels, errors)
  eachFacet(tag, status, labels, unschedule, id)
  eachLabelPair(tag, labels, unschedule, id)
  unschedule(tag .. K.ids, id)
  unschedule(tag .. K.changed, id)
  for fingerprint in string.gmatch(errors or '', '[^,]+') do forgetErrorRun(tag, fingerprint, id) end
end
