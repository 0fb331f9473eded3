-- Hands a claimed attempt back without charging it: the worker drains or cannot make it.
-- Args: runId, step key, fence, attemptId, reason
-- Reply: {'released'} | {'cancelled'} | {'rejected', reason}
T['release'] = function(tag, a)
  local id, key, fence, attemptId = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local parent = string.match(key, '^(%d+)%.')
  local run = openRun(tag, id, 's' .. key, parent and 's' .. parent or 'm')
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if header and header[1] == 'Y' and header[4] == fence and header[5] == attemptId then return { 'released' } end
  if header and header[1] == 'X' and header[4] == fence and header[5] == attemptId then return { 'cancelled' } end
  if not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end
  run.live = run.live - 1
  -- An item of a map that has settled without it is not made again.
  local mapSettled = parent and string.sub(stored(run, 's' .. parent) or '-', 1, 1) ~= 'M'
  local again = isActive(run.status) and not mapSettled
  put(run, 's' .. key, table.concat({ again and 'Y' or 'X', header[2], header[3], fence, attemptId, header[6], header[7],
    header[8], integer(run.at), again and '' or mapSettled and 'map-settled' or 'run-ending' }, '|'))
  event(run, table.concat({ K.eventAttemptCancelled, integer(run.at), key, tonumber(header[2]) + 1, fence, attemptId, '',
    cjson.encode({ reason = ARGV[a + 4] }) }, '|'))
  if again then send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. key) end
  finishWhenDone(run)
  endLease(run, header, key)
  writeRun(run)
  return { again and 'released' or 'cancelled' }
end
