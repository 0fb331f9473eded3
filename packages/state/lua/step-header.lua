-- needs: call, indexes, run
-- Step headers: parts joined by '|'; the first is the state (see state/src/format.ts). Fourteen parts at most.
local HEADER = '^(%a)' .. string.rep('|?([^|]*)', 12) .. '$'
local function parts(header) return { match(header, HEADER) } end

-- The parts of a step's header; nil when it has none.
local function headerOf(run, key)
  local found = stored(run, PREFIX.header .. key)
  return found and parts(found) or nil
end

-- Whatever a step waited for before it may wait for no longer, and for something else now.
local function noteWait(run, key, headerParts)
  local before = headerOf(run, key)
  moveWait(run, key, before and waitOf(before), waitOf(headerParts))
end

local function putHeader(run, key, headerParts)
  noteWait(run, key, headerParts)
  put(run, PREFIX.header .. key, table.concat(headerParts, '|'))
end

-- True when the attempt is the last one of the step, whatever has become of it.
local function isLastAttempt(header, fence, attemptId)
  return header and header[H.fence] == fence and header[H.attemptId] == attemptId
end

-- True when the step runs as this attempt.
local function isRunningAs(header, attemptId)
  return header and header[H.state] == STEP.running and header[H.attemptId] == attemptId
end

-- The map that an item belongs to; nil of any other step.
local function parentOf(key)
  return find(key, '.', 1, true) and match(key, '^(%d+)%.')
end
