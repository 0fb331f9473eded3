-- needs: attempts, begin-ending, call, cleanups, edges-and-groups, hand-out, memoized-parser, pending-writes, run, settle-step, share-runs, step-header, waits
-- Commits an attempt's result as the step's checkpoint and, where exactly one successor became ready that the caller
-- named, claims that for it in the same breath.
-- Shared: traits: letters of the step; nextItemAttemptMs: of a map item or ''; edges: text; sources: step keys to read, joined
--         by ','
-- Own: key: of a map item `map.item`; checkpoint: `ts|seq|checksum|previous`; nextAttemptId: to go on with, or '';
--      output: of a step that uses channels, with what it did with them behind it
-- Reply: {'committed'} or {'continued|key|fence|now|failures|crashes|first[|redoneIn]', input, item, header, output, …}; what
--        nobody asked for is left out
--      | {'rejected', reason}
local lettersOf = memoizedParser(function(text)
  local function has(letter) return find(text, letter, 1, true) ~= nil end
  return { hasTotalTimer = has(COMMIT_TRAIT.totalLimit), isEndStep = has(COMMIT_TRAIT.endStep),
    wantsInput = has(COMMIT_TRAIT.wantsInput), isCompensated = has(COMMIT_TRAIT.compensated),
    isOfItems = has(COMMIT_TRAIT.ofItems), usesChannels = has(COMMIT_TRAIT.usesChannels) }
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
  if list.letters.usesChannels then want(run, WAIT_FIELD.channels) end
  if list.letters.isCompensated then want(run, FIELD.cleanups) end
  wantSources(run, list.sources)
end

-- What a repeated commit claimed the first time: its reply was lost.
local function findContinued(run, parent, edges, nextAttemptId)
  for index = 1, #edges do
    local header = edges[index].key ~= '' and headerOf(run, edges[index].key)
    if isRunningAs(header, nextAttemptId) then return edges[index].key, header end
  end
  -- Which item of the map was claimed only its header tells. It is among the last that were handed out: the repeated
  -- call is seconds old at most, and no more items than run at once can have been claimed since.
  local map = parent and headerOf(run, parent)
  local mapState = map and map[MAP.state]
  local handedOut = mapState == STEP.mapRunning and map[MAP.next] or mapState == STEP.failed and map[FAILED_MAP.next]
  local last = handedOut and tonumber(handedOut) - 1 or -1
  for item = last, math.max(0, last - 1000), -1 do
    local itemKey = parent .. '.' .. item
    local header = headerOf(run, itemKey)
    if isRunningAs(header, nextAttemptId) then return itemKey, header end
  end
end

local function continued(run, list, key, fence, failures, crashes, first)
  local reply = { 'continued|' .. key .. '|' .. fence .. '|' .. nowText .. '|' .. failures .. '|' .. crashes .. '|' .. first
    .. redoneIn(run, key) }
  local item = parentOf(key) and stored(run, PREFIX.item .. key)
  return withValues(reply, run, list, item)
end

-- A commit that finds its step not running as the caller's attempt: a repeated one, or one that comes too late.
local function commitToOther(run, list, o, parent)
  local key, fence, attemptId, continueAs = O.key, O.fence, O.attemptId, O.nextAttemptId
  local header = headerOf(run, key)
  local isLast = isLastAttempt(header, fence, attemptId)
  if isLast and header[H.state] == STEP.succeeded then
    if continueAs ~= '' then
      local nextKey, before = findContinued(run, parent, list.edges, continueAs)
      if nextKey then
        return continued(run, list, nextKey, before[H.fence], before[H.failures], before[H.crashes], before[H.firstAt])
      end
    end
    return { 'committed' }
  end
  if isLast and header[H.state] == STEP.cancelled and header[H.reason] == 'map-settled' then
    return { 'rejected', 'map-settled' }
  end
  return rejectAttempt(run, key, header, fence, attemptId, 'superseded')
end

-- The parts of a running step's header that a commit looks at: what it shares with the succeeded step's, its failures,
-- fence, attempt and the head of its chain.
local RUNNING = '^' .. STEP.running .. '(|([^|]*)|[^|]*|([^|]*)|([^|]*)|[^|]*|[^|]*|[^|]*)|([^|]*)|'

-- The map has settled without this item: its attempt ends, its result is not used.
local function cancelItem(run, o, begin, failures)
  run.live = run.live - 1
  put(run, PREFIX.header .. O.key, STEP.cancelled .. begin .. '|' .. run.atText .. '|map-settled')
  recordEvent(run, { K.eventAttemptCancelled, run.atText, O.key, failures + 1, O.fence, O.attemptId })
  return { 'rejected', 'map-settled' }
end

-- Keeps what the attempt has done with channels until a scheduler has carried it out. Returns the output alone.
local function putChannelWork(run, o)
  local output, own, work = match(O.output, '^([^\n]*)\n([^\n]*)\n([^\n]*)$')
  for channel in string.gmatch(own, '[^,]+') do noteChannel(run, channel) end
  put(run, WAIT_FIELD.channelWork .. O.key .. '|' .. O.fence, work)
  send(run.tag, OUTBOX.channelWork .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. O.key .. '|' .. O.fence)
  return output
end

-- The step's checkpoint and its events. What the headers of a running and a succeeded step begin with is the same.
local function putCheckpoint(run, list, o, begin, failures)
  local at, key, letters = run.atText, O.key, list.letters
  local attempt = failures == '0' and '1' or integer(failures + 1)
  put(run, PREFIX.header .. key, STEP.succeeded .. begin .. '|' .. at .. '|' .. O.checkpoint)
  put(run, PREFIX.output .. key, letters.usesChannels and putChannelWork(run, o) or O.output)
  event(run, K.eventAttemptSucceeded .. '|' .. at .. '|' .. key .. '|' .. attempt .. '|' .. O.fence .. '|' .. O.attemptId)
  event(run, K.eventStepSucceeded .. '|' .. at .. '|' .. key)
  if letters.hasTotalTimer then unschedule(list.due, DUE.totalLimit .. '|' .. key .. '|' .. list.id) end
  if letters.isCompensated then registerCleanup(run, key) end
end

-- Counts a committed item for its map. Returns the groups that fired, and the next item and its attemptMs when the worker
-- goes on with that.
local function settleItem(run, list, map, parent, mayContinue)
  local outcome, nextItem = countItem(run, parent, map, true)
  if outcome == 'succeeded' then return settleStep(run, list.edges, list.letters.isEndStep) end
  if outcome == 'next' then
    local itemKey = parent .. '.' .. nextItem
    if mayContinue and list.nextItemAttemptMs ~= '' then return NONE, itemKey, list.nextItemAttemptMs end
    sendStep(run, itemKey)
  end
  return NONE
end

-- Claims the step that the worker goes on with. `head`: the first step of its chain.
local function goOnWith(run, list, o, head, nextKey, nextAttemptMs)
  local fence, failures, crashes, first = startAttempt(run, nextKey, O.nextAttemptId, list.worker, nil, nextAttemptMs, head)
  put(run, PREFIX.chain .. head, nextKey)
  writeRun(run)
  return continued(run, list, nextKey, fence, failures, crashes, first)
end

-- The worker does not go on with this run.
local function endChain(run, head, key, reply)
  finishWhenDone(run)
  endLeaseOf(run, head, key)
  writeRun(run)
  return reply
end

T['commit'] = function(list, o, run)
  local key, fence, attemptId = O.key, O.fence, O.attemptId
  local parent = list.letters.isOfItems and parentOf(key)
  if not run then return { 'rejected', 'gone' } end

  local found = stored(run, PREFIX.header .. key)
  local begin, failures, heldFence, heldAttempt, head
  if found then begin, failures, heldFence, heldAttempt, head = match(found, RUNNING) end
  if heldFence ~= fence or heldAttempt ~= attemptId then return commitToOther(run, list, o, parent) end
  local map = parent and headerOf(run, parent)
  if parent and (not map or map[MAP.state] ~= STEP.mapRunning) then
    return endChain(run, head, key, cancelItem(run, o, begin, failures))
  end

  putCheckpoint(run, list, o, begin, failures)
  local mayContinue = O.nextAttemptId ~= '' and (run.status == RUN.running or run.status == RUN.pending)
  local fired, nextKey, nextAttemptMs
  if parent then
    fired, nextKey, nextAttemptMs = settleItem(run, list, map, parent, mayContinue)
  else
    fired = settleStep(run, list.edges, list.letters.isEndStep)
  end
  if run.status ~= RUN.ending then
    local lone = #fired == 1 and mayContinue and not nextKey and fired[1].clean and fired[1].edge
    -- Whether members of a group with a failed need run is the engine's decision: those go to the relay.
    if lone and lone.key ~= '' then
      nextKey, nextAttemptMs = lone.key, lone.attemptMs
      announceReady(run, lone.group)
    else
      sendFired(run, fired)
    end
  end
  if nextKey then return goOnWith(run, list, o, head, nextKey, nextAttemptMs) end
  run.live = run.live - 1
  return endChain(run, head, key, { 'committed' })
end
