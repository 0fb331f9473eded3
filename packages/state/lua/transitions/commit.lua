-- needs: attempts, call, cleanups, edges-and-groups, gathered-writes, run, settle-step, share-runs, step-header, taken-apart, when-runs-end
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
  return { hasTotalTimer = has(COMMIT_TRAIT.totalLimit), isEndStep = has(COMMIT_TRAIT.endStep), wantsInput = has(COMMIT_TRAIT.wantsInput), isCompensated = has(COMMIT_TRAIT.compensated), isOfItems = has(COMMIT_TRAIT.ofItems) }
end)

LIST['commit'] = function(list, s)
  local letters = lettersOf(S.traits)
  list.letters, list.wantsInput = letters, letters.wantsInput
  list.worker, list.nextItemAttemptMs = S.worker, S.nextItemAttemptMs
  list.edges, list.sources = edgesOf(S.edges), listOf(S.sources)
  return s + #S, #O
end

WANT['commit'] = function(run, list, first, last)
  for o = first, last, #O do
    local key = O.key
    want(run, PREFIX.header .. key)
    if list.letters.isOfItems then want(run, PREFIX.header .. parentOf(key)) end
  end
  wantEdges(run, list.edges)
  if list.wantsInput then want(run, FIELD.input) end
  if list.letters.isCompensated then want(run, FIELD.cleanups) end
  wantSources(run, list.sources)
end

-- What a repeated commit claimed the first time: its reply was lost.
local function findContinued(run, parent, edges, nextAttemptId)
  for index = 1, #edges do
    local candidate = edges[index].key ~= '' and stored(run, PREFIX.header .. edges[index].key)
    local header = candidate and parts(candidate)
    if header and header[H.state] == STEP.running and header[H.attemptId] == nextAttemptId then return edges[index].key, header end
  end
  -- Which item of the map was claimed only its header tells. It is among the last that were handed out: the repeated
  -- call is seconds old at most, and no more items than run at once can have been claimed since.
  local map = parent and stored(run, PREFIX.header .. parent) and parts(stored(run, PREFIX.header .. parent))
  local handedOut = map and (map[MAP.state] == STEP.mapRunning and map[MAP.next] or map[MAP.state] == STEP.failed and map[FAILED_MAP.next])
  local last = handedOut and tonumber(handedOut) - 1 or -1
  for item = last, math.max(0, last - 1000), -1 do
    local itemKey = parent .. '.' .. item
    local candidate = stored(run, PREFIX.header .. itemKey)
    local header = candidate and parts(candidate)
    if header and header[H.state] == STEP.running and header[H.attemptId] == nextAttemptId then return itemKey, header end
  end
end

local function continued(run, list, key, fence, failures, crashes, first)
  local reply = { 'continued|' .. key .. '|' .. fence .. '|' .. nowText .. '|' .. failures .. '|' .. crashes .. '|' .. first .. redoneIn(run, key) }
  local item = parentOf(key) and stored(run, PREFIX.item .. key)
  return withValues(reply, run, list, item)
end

-- A commit that finds its step not running as the caller's attempt: a repeated one, or one that comes too late.
local function commitToOther(run, list, o, parent)
  local key, fence, attemptId, continueAs = O.key, O.fence, O.attemptId, O.nextAttemptId
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  if header and header[H.state] == STEP.succeeded and header[H.fence] == fence and header[H.attemptId] == attemptId then
    if continueAs ~= '' then
      local nextKey, before = findContinued(run, parent, list.edges, continueAs)
      if nextKey then return continued(run, list, nextKey, before[H.fence], before[H.failures], before[H.crashes], before[H.firstAt]) end
    end
    return { 'committed' }
  end
  if header and header[H.state] == STEP.cancelled and header[H.reason] == 'map-settled' and header[H.fence] == fence and header[H.attemptId] == attemptId then
    return { 'rejected', 'map-settled' }
  end
  return rejectAttempt(run, key, header, fence, attemptId, 'superseded')
end

-- The parts of a running step's header that a commit looks at: what it shares with the succeeded step's, its failures,
-- fence, attempt and the head of its chain.
local RUNNING = '^' .. STEP.running .. '(|([^|]*)|[^|]*|([^|]*)|([^|]*)|[^|]*|[^|]*|[^|]*)|([^|]*)|'

T['commit'] = function(list, o, run)
  local id, edges = list.id, list.edges
  local key, fence, attemptId, continueAs = O.key, O.fence, O.attemptId, O.nextAttemptId
  local parent = list.letters.isOfItems and parentOf(key)
  if not run then return { 'rejected', 'gone' } end

  local found = stored(run, PREFIX.header .. key)
  local begin, failures, heldFence, heldAttempt, head
  if found then begin, failures, heldFence, heldAttempt, head = match(found, RUNNING) end
  if heldFence ~= fence or heldAttempt ~= attemptId then return commitToOther(run, list, o, parent) end
  local map = parent and stored(run, PREFIX.header .. parent) and parts(stored(run, PREFIX.header .. parent))
  if parent and (not map or map[MAP.state] ~= STEP.mapRunning) then
    -- The map has settled without this item: its attempt ends, its result is not used.
    run.live = run.live - 1
    put(run, PREFIX.header .. key, STEP.cancelled .. begin .. '|' .. run.atText .. '|map-settled')
    event(run, table.concat({ K.eventAttemptCancelled, run.atText, key, failures + 1, fence, attemptId }, '|'))
    finishWhenDone(run)
    endLeaseOf(run, head, key)
    writeRun(run)
    return { 'rejected', 'map-settled' }
  end

  local at, attempt = run.atText, failures == '0' and '1' or integer(failures + 1)
  -- What the headers of a running and a succeeded step begin with is the same.
  put(run, PREFIX.header .. key, STEP.succeeded .. begin .. '|' .. at .. '|' .. O.checkpoint)
  put(run, PREFIX.output .. key, O.output)
  event(run, K.eventAttemptSucceeded .. '|' .. at .. '|' .. key .. '|' .. attempt .. '|' .. fence .. '|' .. attemptId)
  event(run, K.eventStepSucceeded .. '|' .. at .. '|' .. key)
  if list.letters.hasTotalTimer then unschedule(list.due, DUE.totalLimit .. '|' .. key .. '|' .. id) end
  if list.letters.isCompensated then registerCleanup(run, key) end

  local mayContinue = continueAs ~= '' and (run.status == RUN.running or run.status == RUN.pending)
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
        send(run.tag, OUTBOX.step .. '|' .. id .. '|' .. definitionOf(run) .. '|' .. itemKey)
      end
    end
  end
  if run.status ~= RUN.ending then
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
    put(run, PREFIX.chain .. head, nextKey)
    writeRun(run)
    return continued(run, list, nextKey, nextFence, failures, crashes, first)
  end
  run.live = run.live - 1
  finishWhenDone(run)
  endLeaseOf(run, head, key)
  writeRun(run)
  return { 'committed' }
end
