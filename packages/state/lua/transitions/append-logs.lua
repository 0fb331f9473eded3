-- needs: call
-- Lines that handlers log are kept with the run until it is pruned: K.logs of a run counts them by step key,
-- `lines so far|lines that its worker dropped|last chunk`; K.logs of `run|step key` is the list of the last ones.

local MAX_LINES = 1000
local MAX_STEPS_WITH_LOGS = 1000

-- Args: chunk: says which piece of an attempt's lines it is, so that a repeated call adds nothing; dropped: lines that the
--       worker left out; behind them the lines (JSON)
-- Reply: {'kept'} | {'refused', gone|full}
T['append-logs'] = function(tag, a, count)
  if call('HEXISTS', tag .. K.run .. A.runId, FIELD.meta) == 0 then return { 'refused', 'gone' } end
  local index = tag .. K.logs .. A.runId
  local known = call('HGET', index, A.key)
  if not known and call('HLEN', index) >= MAX_STEPS_WITH_LOGS then return { 'refused', 'full' } end
  local lines, dropped, chunk = match(known or '', '^(%d+)|(%d+)|(.*)$')
  if chunk == A.chunk then return { 'kept' } end
  local list = index .. '|' .. A.key
  for item = a + #A, a + count - 1 do call('RPUSH', list, ARGV[item]) end
  call('LTRIM', list, -MAX_LINES, -1)
  call('HSET', index, A.key, integer((lines or 0) + count - #A) .. '|' .. integer((dropped or 0) + A.dropped) .. '|' .. A.chunk)
  return { 'kept' }
end

-- Of a run that is pruned.
local function forgetLogs(tag, id)
  local index = tag .. K.logs .. id
  local keys = call('HKEYS', index)
  for item = 1, #keys do call('UNLINK', index .. '|' .. keys[item]) end
  call('UNLINK', index)
end
