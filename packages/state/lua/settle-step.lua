-- needs: begin-ending, call, edges-and-groups, pending-writes, run, step-header
-- What settling means, for every transition that settles: counters, the map a map item belongs to, the run's end.

-- Ends a step's part in the run: counts down its groups and the end counter. Returns the fired groups.
local function settleStep(run, edges, isEndStep)
  local fired = countDown(run, edges)
  if isEndStep then run.endPending = run.endPending - 1 end
  return fired
end

-- A final failure that is not tolerated: with failFast the run begins to end, else it is remembered for the run's end.
local function failRun(run, failFast, data)
  if failFast == TOLERATED or run.status == RUN.ending then return end
  if failFast == '1' then
    beginEnding(run, ENDING.failed, data)
  elseif run.hasFailed == '0' then
    run.hasFailed = '1'
    put(run, FIELD.failure, data)
  end
end

-- What the items of a map, broadcast or loop make of it: 'failed', 'succeeded', 'iterated' when a scheduler has to decide whether
-- the loop goes on, or nil.
local function outcomeOfItems(map, succeeded, failed)
  local mode = map[MAP.mode] or ''
  if failed > tonumber(map[MAP.tolerated]) then return 'failed' end
  if mode == MAP_MODE.loop then return 'iterated' end
  local needed = sub(mode, 1, 1) == MAP_MODE.broadcast and tonumber(sub(mode, 2))
  if needed and succeeded >= needed then return 'succeeded' end
  if succeeded + failed == tonumber(map[MAP.items]) then return 'succeeded' end
end

-- The next item of a map that runs, or nil. Items of a retried map that had succeeded are passed over.
local function nextItemOf(run, parentKey, map)
  local nextItem = tonumber(map[MAP.next])
  if not isActive(run.status) then return nil, nextItem end
  if map[MAP.retried] == RETRIED_MAP then
    nextItem = tonumber(stored(run, PREFIX.nextItem .. parentKey .. '.' .. nextItem) or nextItem)
  end
  if nextItem >= tonumber(map[MAP.items]) then return nil, nextItem end
  return nextItem, nextItem + 1
end

local function putRunningMap(run, parentKey, map, nextItem, succeeded, failed)
  local header = { STEP.mapRunning, map[MAP.items], nextItem, succeeded, failed, map[MAP.concurrency], map[MAP.tolerated],
    map[MAP.startedAt] }
  local mode = map[MAP.mode] or ''
  if map[MAP.retried] == RETRIED_MAP or mode ~= '' then header[MAP.retried] = map[MAP.retried] end
  if mode ~= '' then header[MAP.mode] = mode end
  putHeader(run, parentKey, header)
end

-- V: a succeeded map; its output is made of its items' outputs by those who read it. Of a broadcast that is decided attempts
-- may still run: they are told to stop, and what they return is refused.
local function putSucceededMap(run, parentKey, map, failed)
  putHeader(run, parentKey, { STEP.mapSucceeded, map[MAP.items], failed, map[MAP.startedAt], run.atText })
  event(run, K.eventStepSucceeded .. '|' .. run.atText .. '|' .. parentKey)
  if sub(map[MAP.mode] or '', 1, 1) == MAP_MODE.broadcast then announce(K.channelAborts, run.id .. '|' .. parentKey .. '.|') end
end

-- Between two iterations a loop waits for a scheduler's decision. `subject`: the iterations so far.
local function putBetweenIterations(run, parentKey, map)
  local startedAt = map[MAP.startedAt]
  putHeader(run, parentKey, { STEP.waiting, 0, 0, 0, '', '', startedAt, startedAt, '', '', LOOP_WAIT, map[MAP.items], '' })
  send(run.tag, OUTBOX.iterationEnded .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. parentKey)
end

-- Counts a settled item. Returns 'next' and the item's number when another may start, 'succeeded' or 'failed' when the
-- map has settled by it, 'iterated' or 'more'.
local function countItem(run, parentKey, map, hasSucceeded)
  local succeeded, failed = tonumber(map[MAP.succeeded]), tonumber(map[MAP.failed])
  if hasSucceeded then succeeded = succeeded + 1 else failed = failed + 1 end
  local outcome = outcomeOfItems(map, succeeded, failed)
  if outcome == 'succeeded' then
    putSucceededMap(run, parentKey, map, failed)
  elseif outcome == 'iterated' then
    putBetweenIterations(run, parentKey, map)
  elseif outcome == 'failed' then
    putHeader(run, parentKey, { STEP.failed, 0, 0, 0, '', '', map[MAP.startedAt], map[MAP.startedAt], run.atText, map[MAP.items],
      map[MAP.retried] == RETRIED_MAP and map[MAP.items] or map[MAP.next], succeeded, failed })
  else
    local item, following = nextItemOf(run, parentKey, map)
    putRunningMap(run, parentKey, map, following, succeeded, failed)
    if item then return 'next', item end
    return 'more'
  end
  return outcome
end
