-- needs: call, run, transitions/pause-run
-- What attempts have used: money in millionths of a dollar, and tokens. Kept whatever becomes of the attempt, as it is spent.

local function usageOf(run, field)
  local cost, tokens = match(stored(run, field) or '', '^(%d+)|(%d+)$')
  return tonumber(cost) or 0, tonumber(tokens) or 0
end

local function putUsage(run, field, cost, tokens) put(run, field, integer(cost) .. '|' .. integer(tokens)) end

-- Whether a budget was used up once more. `each`: the budget, or '' for none.
local function isUsedUpAnew(before, after, each)
  if each == '' or after == before then return false end
  local size = tonumber(each)
  return size == 0 or math.ceil(after / size) > math.max(1, math.ceil(before / size))
end

-- Args: costMicros, tokens: all that the attempt with this fence has used so far, so that a repeated call counts once;
--       pauseEachMicros, pauseEachTokens: the run is paused each time that it has used more than another such budget; '' never
-- Reply: {'counted', cost of the run, tokens of the run} | {'gone'}
T['count-usage'] = function(tag, a)
  local own = WAIT_FIELD.usage .. A.key .. '|' .. A.fence
  local run = openRun(tag, A.runId, WAIT_FIELD.usage, own)
  if not run then return { 'gone' } end
  local cost, tokens = usageOf(run, WAIT_FIELD.usage)
  local ownCost, ownTokens = usageOf(run, own)
  local newCost, newTokens = math.max(ownCost, tonumber(A.costMicros)), math.max(ownTokens, tonumber(A.tokens))
  local costBefore, tokensBefore = cost, tokens
  cost, tokens = cost + newCost - ownCost, tokens + newTokens - ownTokens
  if isUsedUpAnew(costBefore, cost, A.pauseEachMicros) or isUsedUpAnew(tokensBefore, tokens, A.pauseEachTokens) then
    pause(run, '{"reason":"budget"}')
  end
  putUsage(run, own, newCost, newTokens)
  putUsage(run, WAIT_FIELD.usage, cost, tokens)
  writeRun(run)
  return { 'counted', integer(cost), integer(tokens) }
end
