-- Commits an attempt's result as the step's checkpoint and, where exactly one successor became ready that the caller
-- named, claims that for it in the same breath.
-- Args: runId, step key (of a map item `map.item`), fence, attemptId, worker, output, checkpoint
--       (ts|seq|checksum|previous), flags (total timer, end step, wants input; 1|0 each), attemptId to go on with or '',
--       the next item's attemptMs or '', edges (text), step keys to read, joined by ','
-- Reply: {'committed'} or {'continued|key|fence|now|failures|crashes|first', input, item, header, output, …}; what nobody
--        asked for is left out
--      | {'rejected', reason}
WANT['commit'] = function(run, a)
  local key = ARGV[a + 1]
  want(run, 's' .. key)
  local parent = parentOf(key)
  if parent then want(run, 's' .. parent) end
  wantEdges(run, ARGV[a + 10])
  if string.sub(ARGV[a + 7], 3, 3) == '1' then want(run, 'i') end
  wantSources(run, ARGV[a + 11])
end

-- What a repeated commit claimed the first time: its reply was lost.
local function findContinued(run, parent, edges, nextAttemptId)
  for index = 1, #edges do
    local candidate = edges[index].key ~= '' and stored(run, 's' .. edges[index].key)
    local header = candidate and parts(candidate)
    if header and header[1] == 'R' and header[5] == nextAttemptId then return edges[index].key, header end
  end
  -- Which item of the map was claimed only its header tells. It is among the last that were handed out: the repeated
  -- call is seconds old at most, and no more items than run at once can have been claimed since.
  local map = parent and stored(run, 's' .. parent) and parts(stored(run, 's' .. parent))
  local handedOut = map and (map[1] == 'M' and map[3] or map[1] == 'F' and map[11])
  local last = handedOut and tonumber(handedOut) - 1 or -1
  for item = last, math.max(0, last - 1000), -1 do
    local itemKey = parent .. '.' .. item
    local candidate = stored(run, 's' .. itemKey)
    local header = candidate and parts(candidate)
    if header and header[1] == 'R' and header[5] == nextAttemptId then return itemKey, header end
  end
end

local function continued(run, a, key, fence, failures, crashes, first)
  local reply = { 'continued|' .. key .. '|' .. fence .. '|' .. nowText .. '|' .. failures .. '|' .. crashes .. '|' .. first }
  local item = parentOf(key) and stored(run, 'i' .. key)
  return withValues(reply, run, string.sub(ARGV[a + 7], 3, 3) == '1', item, ARGV[a + 11])
end

T['commit'] = function(tag, a, run)
  local id, key, fence, attemptId, worker = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local continueAs, edges, parent = ARGV[a + 8], ARGV[a + 10], parentOf(key)
  if not run then return { 'rejected', 'gone' } end

  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if header and header[1] == 'S' and header[4] == fence and header[5] == attemptId then
    if continueAs ~= '' then
      local nextKey, before = findContinued(run, parent, edgesOf(edges), continueAs)
      if nextKey then return continued(run, a, nextKey, before[4], before[2], before[3], before[7]) end
    end
    return { 'committed' }
  end
  if header and header[1] == 'X' and header[10] == 'map-settled' and header[4] == fence and header[5] == attemptId then
    return { 'rejected', 'map-settled' }
  end
  if not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end
  local map = parent and stored(run, 's' .. parent) and parts(stored(run, 's' .. parent))
  if parent and (not map or map[1] ~= 'M') then
    -- The map has settled without this item: its attempt ends, its result is not used.
    run.live = run.live - 1
    put(run, 's' .. key, table.concat({ 'X', header[2], header[3], header[4], header[5], header[6], header[7], header[8],
      integer(run.at), 'map-settled' }, '|'))
    event(run, table.concat({ K.eventAttemptCancelled, integer(run.at), key, tonumber(header[2]) + 1, fence, attemptId }, '|'))
    finishWhenDone(run)
    endLease(run, header, key)
    writeRun(run)
    return { 'rejected', 'map-settled' }
  end

  local at, attempt = run.atText, header[2] == '0' and '1' or integer(header[2] + 1)
  put(run, 's' .. key, 'S|' .. header[2] .. '|' .. header[3] .. '|' .. fence .. '|' .. attemptId .. '|' .. header[6] .. '|'
    .. header[7] .. '|' .. header[8] .. '|' .. at .. '|' .. ARGV[a + 6])
  put(run, 'o' .. key, ARGV[a + 5])
  event(run, K.eventAttemptSucceeded .. '|' .. at .. '|' .. key .. '|' .. attempt .. '|' .. fence .. '|' .. attemptId)
  event(run, K.eventStepSucceeded .. '|' .. at .. '|' .. key)
  if string.sub(ARGV[a + 7], 1, 1) == '1' then unschedule(tag .. K.due, 't|' .. key .. '|' .. id) end

  local mayContinue = continueAs ~= '' and (run.status == 'r' or run.status == 'n')
  local nextKey, nextAttemptMs
  local fired = {}
  if not parent then
    fired = settleStep(run, edges, string.sub(ARGV[a + 7], 2, 2))
  else
    local outcome, nextItem = countItem(run, parent, map, true)
    if outcome == 'succeeded' then
      fired = settleStep(run, edges, string.sub(ARGV[a + 7], 2, 2))
    elseif outcome == 'next' then
      local itemKey = parent .. '.' .. nextItem
      if mayContinue and ARGV[a + 9] ~= '' then
        nextKey, nextAttemptMs = itemKey, ARGV[a + 9]
      else
        send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. itemKey)
      end
    end
  end
  if run.status ~= 'e' then
    -- Whether members of a group with a failed need run is the engine's decision: those go to the relay.
    if #fired == 1 and mayContinue and not nextKey and fired[1].edge.key ~= '' and fired[1].clean then
      nextKey, nextAttemptMs = fired[1].edge.key, fired[1].edge.attemptMs
      announceReady(run, fired[1].edge.group)
    else
      sendFired(run, fired)
    end
  end

  if nextKey then
    local head = header[9]
    local nextFence, failures, crashes, first = startAttempt(run, nextKey, continueAs, worker, nil, nextAttemptMs, head)
    put(run, 'c' .. head, nextKey)
    writeRun(run)
    return continued(run, a, nextKey, nextFence, failures, crashes, first)
  end
  run.live = run.live - 1
  finishWhenDone(run)
  endLease(run, header, key)
  writeRun(run)
  return { 'committed' }
end
