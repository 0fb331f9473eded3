-- needs: call, memoized-parser, pending-writes, run
-- What a settled step means for the groups that it leads to.

-- Group counters: pending + succeeded * 2^17 + failed * 2^34 (see engine/join-counter).
local UNIT, UNIT2 = 131072, 17179869184

-- Edges out of a settled step, as one text: `group|delta|start value|join (y: any)|key of a lone member the caller may
-- continue with or ''|its attemptMs`, joined by ';'. Steps of one shape have the same text: it is taken apart once.
local edgesOf = memoizedParser(function(text)
  local edges = {}
  for group, delta, start, join, key, attemptMs in string.gmatch(text, '(%d+)|(-?%d+)|(%d+)|(%a)|([^|;]*)|([^;]*)') do
    edges[#edges + 1] = { group = group, field = PREFIX.counter .. group, delta = tonumber(delta), start = tonumber(start),
      any = join == JOIN.any, key = key, attemptMs = attemptMs }
  end
  return edges
end)

local function wantEdges(run, edges)
  if #edges > 0 then want(run, FIELD.opening) end
  for index = 1, #edges do want(run, edges[index].field) end
end

-- Counts down the groups that a settled step feeds. Returns the list of those that fired: {edge, counter, clean}.
local function countDown(run, edges)
  local fired = NONE
  for index = 1, #edges do
    local edge = edges[index]
    local before = tonumber(stored(run, edge.field) or edge.start)
    local after = before + edge.delta
    putCounter(run, edge.field, after)
    local pending = after % UNIT
    local fires = pending == 0
    if edge.any then
      local succeeded = floor(after / UNIT) % UNIT
      local succeededBefore = floor(before / UNIT) % UNIT
      fires = (succeededBefore == 0 and succeeded > 0) or (pending == 0 and succeeded == 0)
    end
    if fires then
      if fired == NONE then fired = {} end
      fired[#fired + 1] = { edge = edge, counter = after, clean = after < UNIT2 }
    end
  end
  return fired
end

local function announceReady(run, group)
  event(run, K.eventStepReady .. '|' .. run.atText .. '|g' .. group)
end

-- How often the run has been opened, as text: see retry-run.lua.
local function openingTextOf(run) return match(stored(run, FIELD.opening) or '1', '^%d+') end

-- What a scheduler decided of a group that fired before the run was reopened says nothing of what the group is now. '' of
-- those who act on what the step is and not on its group.
local function isOfOpening(run, opening) return opening == '' or opening == openingTextOf(run) end

-- True when a group's counter lets its steps begin.
local function hasFired(counter, any)
  return counter and (counter % UNIT == 0 or (any and floor(counter / UNIT) % UNIT > 0))
end

local function sendFired(run, fired)
  local opening = #fired > 0 and stored(run, FIELD.opening) and '|' .. openingTextOf(run) or ''
  for index = 1, #fired do
    local group = fired[index].edge.group
    announceReady(run, group)
    send(run.tag, OUTBOX.group .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. group .. '|'
      .. integer(fired[index].counter) .. opening)
  end
end
