-- needs: attempts, call, edges-and-groups, gathered-writes, parked-steps, run, settle-step, share-runs, step-header, taken-apart
-- Gives a worker the right to one attempt, or the reason to leave the step.
-- Shared: runId, worker, wants input (1|0), group text
--         `group|join (y: any)|the group's start value|attemptMs|letters (w: the step has queuedMs; m: map items)`, step
--         keys to read, joined by ','
-- Own: step key (of a map item `map.item`), attemptId
-- Reply: {'claimed|fence|now|createdAt|failures|crashes|first[|redoneIn]', input, item, header, output, …}; what nobody asked for is
--        left out
--      | {'refused', gone|cancelled|paused|leased|settled|not-due}
local groupOf = takenApart(function(text)
  local number, join, start, attemptMs, letters = match(text, '^(%d+)|(%a)|(%d+)|(-?%d+)|(%a*)$')
  return { field = PREFIX.counter .. number, any = join == JOIN.any, start = start, attemptMs = attemptMs,
    hasQueuedTimer = find(letters, CLAIM_TRAIT.queuedLimit, 1, true) ~= nil, isOfItems = find(letters, CLAIM_TRAIT.ofItems, 1, true) ~= nil }
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
  local text = 'claimed|' .. fence .. '|' .. nowText .. '|' .. run.createdText .. '|' .. failures .. '|' .. crashes .. '|' .. first
  if isFirst then run.claimedText = text end
  return text
end

T['claim'] = function(list, o, run)
  local id, due, group, worker = list.id, list.due, list.group, list.worker
  local key, attemptId = O.key, O.attemptId
  local parent = group.isOfItems and parentOf(key)
  local hint = DUE.hint .. '|' .. key .. '|' .. id
  if not run then
    unschedule(due, hint)
    return { 'refused', 'gone' }
  end
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  local fence, failures, crashes, first
  if header and header[H.state] == STEP.running and header[H.attemptId] == attemptId then
    -- A repeated call.
    fence, failures, crashes, first = header[H.fence], header[H.failures], header[H.crashes], header[H.firstAt]
  else
    if not isActive(run.status) then
      unschedule(due, hint)
      return { 'refused', 'cancelled' }
    end
    if header and header[H.state] == STEP.running then return { 'refused', 'leased' } end
    if header and header[H.state] ~= STEP.ready and header[H.state] ~= STEP.parked then
      unschedule(due, hint)
      return { 'refused', header[H.state] == STEP.backingOff and 'not-due' or 'settled' }
    end
    if parent then
      local map = stored(run, PREFIX.header .. parent) and parts(stored(run, PREFIX.header .. parent))
      if not map or map[MAP.state] ~= STEP.mapRunning then
        unschedule(due, hint)
        return { 'refused', 'settled' }
      end
      if tonumber(match(key, '%.(%d+)$')) >= tonumber(map[MAP.next]) then return { 'refused', 'not-due' } end
    elseif not header and group.start ~= '0' and run.readyGroup ~= group then
      if not hasFired(tonumber(stored(run, group.field)), group.any) then return { 'refused', 'not-due' } end
      -- What is ready stays so: the others of the group need not ask again.
      run.readyGroup = group
    end
    if run.status == RUN.paused then
      hold(run, key)
      writeRun(run)
      unschedule(due, hint)
      return { 'refused', 'paused' }
    end
    if header then unindexParked(run, key, header) end
    fence, failures, crashes, first = startAttempt(run, key, attemptId, worker, header, group.attemptMs, key)
    run.live = run.live + 1
    if run.status == RUN.pending then run.status = RUN.running end
    writeRun(run)
    schedule(list.lease, id .. '|' .. key, LEASE_END_TEXT)
    unschedule(due, hint)
    if group.hasQueuedTimer then unschedule(due, DUE.queuedLimit .. '|' .. key .. '|' .. id) end
  end
  local text = claimedText(run, fence, failures, crashes, first) .. redoneIn(run, key)
  return withValues({ text }, run, list, parent and stored(run, PREFIX.item .. key))
end
