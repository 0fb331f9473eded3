-- needs: attempts, call, edges-and-groups, memoized-parser, parked-steps, pending-writes, run, share-runs, step-header
-- Gives a worker the right to one attempt, or the reason to leave the step.
-- Shared: wantsInput: 1|0; group: `group|join|the group's start value|attemptMs|traits`; sources: step keys to read,
--         joined by ','
-- Own: key: of a map item `map.item`
-- Reply: {'claimed|fence|now|createdAt|failures|crashes|first[|redoneIn]', input, item, header, output, …}; what nobody
--        asked for is left out
--      | {'refused', gone|cancelled|paused|leased|settled|not-due}
local groupOf = memoizedParser(function(text)
  local number, join, start, attemptMs, letters = match(text, '^(%d+)|(%a)|(%d+)|(-?%d+)|(%a*)$')
  return { field = PREFIX.counter .. number, any = join == JOIN.any, start = start, attemptMs = attemptMs,
    hasQueuedTimer = find(letters, CLAIM_TRAIT.queuedLimit, 1, true) ~= nil,
    isOfItems = find(letters, CLAIM_TRAIT.ofItems, 1, true) ~= nil }
end)

LIST['claim'] = function(list, s)
  list.worker, list.wantsInput = S.worker, S.wantsInput == '1'
  list.group, list.sources = groupOf(S.group), listOf(S.sources)
  return s + #S, #O
end

WANT['claim'] = function(run, list, first, last)
  local group = list.group
  for o = first, last, #O do
    local key = O.key
    want(run, PREFIX.header .. key)
    if group.isOfItems then
      want(run, PREFIX.header .. parentOf(key))
      want(run, PREFIX.item .. key)
    end
  end
  if not group.isOfItems and group.start ~= '0' then want(run, group.field) end
  if list.wantsInput then want(run, FIELD.input) end
  wantSources(run, list.sources)
end

-- Steps of a run that start together for the first time are told the same.
local function claimedText(run, fence, failures, crashes, first)
  local isFirst = fence == run.atText and first == fence and failures == '0' and crashes == '0'
  if isFirst and run.claimedText then return run.claimedText end
  local text = 'claimed|' .. fence .. '|' .. nowText .. '|' .. run.createdText .. '|' .. failures .. '|' .. crashes
    .. '|' .. first
  if isFirst then run.claimedText = text end
  return text
end

-- Refuses a claim and takes away the hint that led to it: no more is to be done by it.
local function refuseForGood(list, key, reason)
  unschedule(list.due, DUE.hint .. '|' .. key .. '|' .. list.id)
  return { 'refused', reason }
end

-- Whether the step's group has fired, of an item whether its map has handed it out; else the refusal.
local function refusalOfEarly(run, list, key, header)
  local group = list.group
  if group.isOfItems then
    local map = headerOf(run, parentOf(key))
    if not map or map[MAP.state] ~= STEP.mapRunning then return refuseForGood(list, key, 'settled') end
    if tonumber(match(key, '%.(%d+)$')) >= tonumber(map[MAP.next]) then return { 'refused', 'not-due' } end
  elseif not header and group.start ~= '0' and run.readyGroup ~= group then
    if not hasFired(tonumber(stored(run, group.field)), group.any) then return { 'refused', 'not-due' } end
    -- What is ready stays so: the others of the group need not ask again.
    run.readyGroup = group
  end
end

-- Why a step cannot be claimed now; nil when it can.
local function refusalOf(run, list, key, header)
  if not isActive(run.status) then return refuseForGood(list, key, 'cancelled') end
  if header then
    local state = header[H.state]
    if state == STEP.running then return { 'refused', 'leased' } end
    if state ~= STEP.ready and state ~= STEP.parked then
      return refuseForGood(list, key, state == STEP.backingOff and 'not-due' or 'settled')
    end
  end
  local refusal = refusalOfEarly(run, list, key, header)
  if refusal then return refusal end
  if run.status == RUN.paused then
    hold(run, key)
    writeRun(run)
    return refuseForGood(list, key, 'paused')
  end
end

T['claim'] = function(list, o, run)
  local key, attemptId, group = O.key, O.attemptId, list.group
  if not run then return refuseForGood(list, key, 'gone') end
  local header = headerOf(run, key)
  local fence, failures, crashes, first
  if isRunningAs(header, attemptId) then
    -- A repeated call.
    fence, failures, crashes, first = header[H.fence], header[H.failures], header[H.crashes], header[H.firstAt]
  else
    local refusal = refusalOf(run, list, key, header)
    if refusal then return refusal end
    if header then unindexParked(run, key, header) end
    fence, failures, crashes, first = startAttempt(run, key, attemptId, list.worker, header, group.attemptMs, key)
    run.live = run.live + 1
    if run.status == RUN.pending then run.status = RUN.running end
    writeRun(run)
    local id, due = list.id, list.due
    schedule(list.lease, id .. '|' .. key, LEASE_END_TEXT)
    unschedule(due, DUE.hint .. '|' .. key .. '|' .. id)
    if group.hasQueuedTimer then unschedule(due, DUE.queuedLimit .. '|' .. key .. '|' .. id) end
  end
  local text = claimedText(run, fence, failures, crashes, first) .. redoneIn(run, key)
  return withValues({ text }, run, list, group.isOfItems and stored(run, PREFIX.item .. key))
end
