-- Commits an attempt's result as the step's checkpoint and, where exactly one successor became ready that the caller
-- named, claims that for it in the same breath.
-- Shared: runId, worker, letters (t: total timer; e: end step; i: wants input; c: compensated when the run does not succeed;
--         m: map items), the next item's attemptMs or '', edges (text), step keys to read, joined by ','
-- Own: step key (of a map item `map.item`), fence, attemptId, output, checkpoint (ts|seq|checksum|previous), attemptId to go
--      on with or ''
-- Reply: {'committed'} or {'continued|key|fence|now|failures|crashes|first[|redoneIn]', input, item, header, output, …}; what nobody
--        asked for is left out
--      | {'rejected', reason}
local lettersOf = takenApart(function(text)
  local function has(letter) return find(text, letter, 1, true) ~= nil end
  return { hasTotalTimer = has('t'), isEndStep = has('e'), wantsInput = has('i'), isCompensated = has('c'), isOfItems = has('m') }
end)

LIST['commit'] = function(list, s)
  local letters = lettersOf(ARGV[s + 2])
  list.letters, list.wantsInput = letters, letters.wantsInput
  list.worker, list.nextItemAttemptMs = ARGV[s + 1], ARGV[s + 3]
  list.edges, list.sources = edgesOf(ARGV[s + 4]), listOf(ARGV[s + 5])
  return s + 6, 6
end

WANT['commit'] = function(run, list, first, last)
  for o = first, last, 6 do
    local key = ARGV[o]
    want(run, 's' .. key)
    if list.letters.isOfItems then want(run, 's' .. parentOf(key)) end
  end
  wantEdges(run, list.edges)
  if list.wantsInput then want(run, 'i') end
  if list.letters.isCompensated then want(run, 'u') end
  wantSources(run, list.sources)
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

local function continued(run, list, key, fence, failures, crashes, first)
  local reply = { 'continued|' .. key .. '|' .. fence .. '|' .. nowText .. '|' .. failures .. '|' .. crashes .. '|' .. first .. redoneIn(run, key) }
  local item = parentOf(key) and stored(run, 'i' .. key)
  return withValues(reply, run, list, item)
end

-- A commit that finds its step not running as the caller's attempt: a repeated one, or one that comes too late.
local function commitToOther(run, list, o, parent)
  local key, fence, attemptId, continueAs = ARGV[o], ARGV[o + 1], ARGV[o + 2], ARGV[o + 5]
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if header and header[1] == 'S' and header[4] == fence and header[5] == attemptId then
    if continueAs ~= '' then
      local nextKey, before = findContinued(run, parent, list.edges, continueAs)
      if nextKey then return continued(run, list, nextKey, before[4], before[2], before[3], before[7]) end
    end
    return { 'committed' }
  end
  if header and header[1] == 'X' and header[10] == 'map-settled' and header[4] == fence and header[5] == attemptId then
    return { 'rejected', 'map-settled' }
  end
  return rejectAttempt(run, key, header, fence, attemptId, 'superseded')
end

-- The parts of a running step's header that a commit looks at: what it shares with the succeeded step's, its failures,
-- fence, attempt and the head of its chain.
local RUNNING = '^R(|([^|]*)|[^|]*|([^|]*)|([^|]*)|[^|]*|[^|]*|[^|]*)|([^|]*)|'

T['commit'] = function(list, o, run)
  local id, edges = list.id, list.edges
  local key, fence, attemptId, continueAs = ARGV[o], ARGV[o + 1], ARGV[o + 2], ARGV[o + 5]
  local parent = list.letters.isOfItems and parentOf(key)
  if not run then return { 'rejected', 'gone' } end

  local found = stored(run, 's' .. key)
  local begin, failures, heldFence, heldAttempt, head
  if found then begin, failures, heldFence, heldAttempt, head = match(found, RUNNING) end
  if heldFence ~= fence or heldAttempt ~= attemptId then return commitToOther(run, list, o, parent) end
  local map = parent and stored(run, 's' .. parent) and parts(stored(run, 's' .. parent))
  if parent and (not map or map[1] ~= 'M') then
    -- The map has settled without this item: its attempt ends, its result is not used.
    run.live = run.live - 1
    put(run, 's' .. key, 'X' .. begin .. '|' .. run.atText .. '|map-settled')
    event(run, table.concat({ K.eventAttemptCancelled, run.atText, key, failures + 1, fence, attemptId }, '|'))
    finishWhenDone(run)
    endLeaseOf(run, head, key)
    writeRun(run)
    return { 'rejected', 'map-settled' }
  end

  local at, attempt = run.atText, failures == '0' and '1' or integer(failures + 1)
  -- What the headers of a running and a succeeded step begin with is the same.
  put(run, 's' .. key, 'S' .. begin .. '|' .. at .. '|' .. ARGV[o + 4])
  put(run, 'o' .. key, ARGV[o + 3])
  event(run, K.eventAttemptSucceeded .. '|' .. at .. '|' .. key .. '|' .. attempt .. '|' .. fence .. '|' .. attemptId)
  event(run, K.eventStepSucceeded .. '|' .. at .. '|' .. key)
  if list.letters.hasTotalTimer then unschedule(list.due, 't|' .. key .. '|' .. id) end
  if list.letters.isCompensated then registerCleanup(run, key) end

  local mayContinue = continueAs ~= '' and (run.status == 'r' or run.status == 'n')
  local nextKey, nextAttemptMs
  local fired = {}
  if not parent then
    fired = settleStep(run, edges, list.letters.isEndStep)
  else
    local outcome, nextItem = countItem(run, parent, map, true)
    if outcome == 'succeeded' then
      fired = settleStep(run, edges, list.letters.isEndStep)
    elseif outcome == 'next' then
      local itemKey = parent .. '.' .. nextItem
      if mayContinue and list.nextItemAttemptMs ~= '' then
        nextKey, nextAttemptMs = itemKey, list.nextItemAttemptMs
      else
        send(run.tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. itemKey)
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
    local nextFence, failures, crashes, first = startAttempt(run, nextKey, continueAs, list.worker, nil, nextAttemptMs, head)
    put(run, 'c' .. head, nextKey)
    writeRun(run)
    return continued(run, list, nextKey, nextFence, failures, crashes, first)
  end
  run.live = run.live - 1
  finishWhenDone(run)
  endLeaseOf(run, head, key)
  writeRun(run)
  return { 'committed' }
end
