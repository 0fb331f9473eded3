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
  return { field = 'g' .. number, any = join == 'y', start = start, attemptMs = attemptMs,
    hasQueuedTimer = find(letters, 'w', 1, true) ~= nil, isOfItems = find(letters, 'm', 1, true) ~= nil }
end)

LIST['claim'] = function(list, s)
  list.worker, list.wantsInput = ARGV[s + 1], ARGV[s + 2] == '1'
  list.group, list.sources = groupOf(ARGV[s + 3]), listOf(ARGV[s + 4])
  return s + 5, 2
end

WANT['claim'] = function(run, list, first, last)
  local group = list.group
  for o = first, last, 2 do
    local key = ARGV[o]
    want(run, 's' .. key)
    if group.isOfItems then
      want(run, 's' .. parentOf(key))
      want(run, 'i' .. key)
    end
  end
  if not group.isOfItems and group.start ~= '0' then want(run, group.field) end
  if list.wantsInput then want(run, 'i') end
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
  local key, attemptId = ARGV[o], ARGV[o + 1]
  local parent = group.isOfItems and parentOf(key)
  local hint = 'q|' .. key .. '|' .. id
  if not run then
    unschedule(due, hint)
    return { 'refused', 'gone' }
  end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  local fence, failures, crashes, first
  if header and header[1] == 'R' and header[5] == attemptId then
    -- A repeated call.
    fence, failures, crashes, first = header[4], header[2], header[3], header[7]
  else
    if not isActive(run.status) then
      unschedule(due, hint)
      return { 'refused', 'cancelled' }
    end
    if header and header[1] == 'R' then return { 'refused', 'leased' } end
    if header and header[1] ~= 'Y' and header[1] ~= 'P' then
      unschedule(due, hint)
      return { 'refused', header[1] == 'B' and 'not-due' or 'settled' }
    end
    if parent then
      local map = stored(run, 's' .. parent) and parts(stored(run, 's' .. parent))
      if not map or map[1] ~= 'M' then
        unschedule(due, hint)
        return { 'refused', 'settled' }
      end
      if tonumber(match(key, '%.(%d+)$')) >= tonumber(map[3]) then return { 'refused', 'not-due' } end
    elseif not header and group.start ~= '0' and run.readyGroup ~= group then
      if not hasFired(tonumber(stored(run, group.field)), group.any) then return { 'refused', 'not-due' } end
      -- What is ready stays so: the others of the group need not ask again.
      run.readyGroup = group
    end
    if run.status == 'p' then
      hold(run, key)
      writeRun(run)
      unschedule(due, hint)
      return { 'refused', 'paused' }
    end
    if header then unindexParked(run, key, header) end
    fence, failures, crashes, first = startAttempt(run, key, attemptId, worker, header, group.attemptMs, key)
    run.live = run.live + 1
    if run.status == 'n' then run.status = 'r' end
    writeRun(run)
    schedule(list.lease, id .. '|' .. key, LEASE_END_TEXT)
    unschedule(due, hint)
    if group.hasQueuedTimer then unschedule(due, 'w|' .. key .. '|' .. id) end
  end
  local text = claimedText(run, fence, failures, crashes, first) .. redoneIn(run, key)
  return withValues({ text }, run, list, parent and stored(run, 'i' .. key))
end
