-- needs: edges-and-groups, run, step-header, when-runs-end
-- What settling means, for every transition that settles: counters, the map a map item belongs to, the run's end.

-- Ends a step's part in the run: counts down its groups and the end counter. Returns the fired groups.
local function settleStep(run, edges, isEndStep)
  local fired = countDown(run, edges)
  if isEndStep then run.endPending = run.endPending - 1 end
  return fired
end

-- A final failure: with failFast the run begins to end, else it is remembered for the run's end.
local function failRun(run, failFast, data)
  if run.status == RUN.ending then return end
  if failFast == '1' then
    beginEnding(run, ENDING.failed, data)
  elseif run.hasFailed == '0' then
    run.hasFailed = '1'
    put(run, FIELD.failure, data)
  end
end

-- Map headers: M|items|next item|succeeded|failed|concurrency|tolerated|started, and r behind it when the run was retried
-- and some items had succeeded; of a failed one items, next item, succeeded and failed stand at the end.
-- Counts a settled item. Returns 'next' and the item's number when another may start, 'succeeded' or 'failed' when the
-- map has settled by it, or 'more'.
local function countItem(run, parentKey, map, succeeded)
  local items, nextItem = tonumber(map[MAP.items]), tonumber(map[MAP.next])
  local ok, failed = tonumber(map[MAP.succeeded]), tonumber(map[MAP.failed])
  if succeeded then ok = ok + 1 else failed = failed + 1 end
  local outcome, item = 'more', nil
  if failed > tonumber(map[MAP.tolerated]) then
    outcome = 'failed'
  elseif ok + failed == items then
    outcome = 'succeeded'
  elseif isActive(run.status) then
    -- Items of a retried map that had succeeded are passed over.
    if map[MAP.retried] == RETRIED_MAP then
      nextItem = tonumber(stored(run, PREFIX.nextItem .. parentKey .. '.' .. nextItem) or nextItem)
    end
    if nextItem < items then
      outcome, item = 'next', nextItem
      nextItem = nextItem + 1
    end
  end
  if outcome == 'succeeded' then
    -- V: a succeeded map; its output is its items' outputs, which readers put together.
    putHeader(run, parentKey, { STEP.mapSucceeded, items, failed, map[MAP.startedAt], run.atText })
    event(run, K.eventStepSucceeded .. '|' .. run.atText .. '|' .. parentKey)
  elseif outcome == 'failed' then
    putHeader(run, parentKey, { STEP.failed, 0, 0, 0, '', '', map[MAP.startedAt], map[MAP.startedAt], run.atText, items,
      map[MAP.retried] == RETRIED_MAP and items or nextItem, ok, failed })
  else
    putHeader(run, parentKey, { STEP.mapRunning, items, nextItem, ok, failed, map[MAP.concurrency], map[MAP.tolerated],
      map[MAP.startedAt], map[MAP.retried] == RETRIED_MAP and RETRIED_MAP or nil })
  end
  return outcome, item
end
