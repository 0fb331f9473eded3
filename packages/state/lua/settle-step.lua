-- What settling means, for every transition that settles: counters, the map a map item belongs to, the run's end.

-- The map that an item belongs to.
local function parentOf(key)
  return find(key, '.', 1, true) and match(key, '^(%d+)%.')
end

-- Ends a step's part in the run: counts down its groups and the end counter. Returns the fired groups.
local function settleStep(run, edges, isEndStep)
  local fired = countDown(run, edges)
  if isEndStep then run.endPending = run.endPending - 1 end
  return fired
end

-- A final failure: with failFast the run begins to end, else it is remembered for the run's end.
local function failRun(run, failFast, data)
  if run.status == 'e' then return end
  if failFast == '1' then
    beginEnding(run, 'f', data)
  elseif run.hasFailed == '0' then
    run.hasFailed = '1'
    put(run, 'f', data)
  end
end

-- Map headers: M|items|next item|succeeded|failed|concurrency|tolerated|started, and r behind it when the run was retried
-- and some items had succeeded; of a failed one items, next item, succeeded and failed stand at the end.
-- Counts a settled item. Returns 'next' and the item's number when another may start, 'succeeded' or 'failed' when the
-- map has settled by it, or 'more'.
local function countItem(run, parentKey, map, succeeded)
  local items, nextItem = tonumber(map[2]), tonumber(map[3])
  local ok, failed = tonumber(map[4]), tonumber(map[5])
  if succeeded then ok = ok + 1 else failed = failed + 1 end
  local outcome, item = 'more', nil
  if failed > tonumber(map[7]) then
    outcome = 'failed'
  elseif ok + failed == items then
    outcome = 'succeeded'
  elseif isActive(run.status) then
    -- Items of a retried map that had succeeded are passed over.
    if map[9] == 'r' then nextItem = tonumber(stored(run, 'j' .. parentKey .. '.' .. nextItem) or nextItem) end
    if nextItem < items then
      outcome, item = 'next', nextItem
      nextItem = nextItem + 1
    end
  end
  if outcome == 'succeeded' then
    -- V: a succeeded map; its output is its items' outputs, which readers put together.
    put(run, 's' .. parentKey, table.concat({ 'V', items, failed, map[8], integer(run.at) }, '|'))
    event(run, K.eventStepSucceeded .. '|' .. integer(run.at) .. '|' .. parentKey)
  elseif outcome == 'failed' then
    put(run, 's' .. parentKey, table.concat({ 'F', 0, 0, 0, '', '', map[8], map[8], integer(run.at), items,
      map[9] == 'r' and items or nextItem, ok,
      failed }, '|'))
  else
    put(run, 's' .. parentKey, table.concat({ 'M', items, nextItem, ok, failed, map[6], map[7], map[8],
      map[9] == 'r' and 'r' or nil }, '|'))
  end
  return outcome, item
end
