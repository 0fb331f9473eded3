-- Attempts that end without being charged: handed back to the fleet, or parked until a time.

-- Ends the attempt that the caller holds. `waiting` is what the step becomes when its run goes on: Y ready again, P parked.
-- Returns the reply, or nil, the run and its header's parts: the caller then hands the step on with `leaveAttempt`.
local function openHeld(tag, a, waiting)
  local id, key, fence, attemptId = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local parent = string.match(key, '^(%d+)%.')
  local run = openRun(tag, id, 's' .. key, parent and 's' .. parent or 'm')
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if header and header[4] == fence and header[5] == attemptId then
    if header[1] == waiting then return { waiting == 'P' and 'parked' or 'released' } end
    if header[1] == 'X' then return { 'cancelled' } end
  end
  if not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end
  return nil, run, header
end

-- Returns whether the step waits now; false when it was cancelled, because its run ends or its map has settled without it.
local function leaveAttempt(run, a, header, waiting, detail)
  local key, fence, attemptId = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local parent = string.match(key, '^(%d+)%.')
  run.live = run.live - 1
  -- An item of a map that has settled without it is not made again.
  local mapSettled = parent and string.sub(stored(run, 's' .. parent) or '-', 1, 1) ~= 'M'
  local again = isActive(run.status) and not mapSettled
  -- The time that a step spends parked before its first charged attempt does not count against its retries.
  local first = again and waiting == 'P' and header[2] == '0' and header[3] == '0' and '' or header[7]
  put(run, 's' .. key, table.concat({ again and waiting or 'X', header[2], header[3], fence, attemptId, header[6], first,
    header[8], integer(run.at), again and detail or mapSettled and 'map-settled' or 'run-ending' }, '|'))
  event(run, table.concat({ K.eventAttemptCancelled, integer(run.at), key, tonumber(header[2]) + 1, fence, attemptId, '',
    cjson.encode({ reason = ARGV[a + 4] }) }, '|'))
  return again
end

-- Hands a claimed attempt back without charging it: the worker drains or cannot make it.
-- Args: runId, step key, fence, attemptId, reason
-- Reply: {'released'} | {'cancelled'} | {'rejected', reason}
T['release'] = function(tag, a)
  local reply, run, header = openHeld(tag, a, 'Y')
  if reply then return reply end
  local again = leaveAttempt(run, a, header, 'Y', '')
  if again then send(tag, 'S|' .. run.id .. '|' .. definitionOf(run) .. '|' .. ARGV[a + 1]) end
  finishWhenDone(run)
  endLease(run, header, ARGV[a + 1])
  writeRun(run)
  return { again and 'released' or 'cancelled' }
end

-- Parks the step of a claimed attempt without charging it: what it needs cannot be had before a time.
-- Args: runId, step key, fence, attemptId, reason (letters, digits, `-`, `.`, `:`, `_`), again in ms
-- Reply: {'parked'} | {'cancelled'} | {'rejected', reason}
T['park-attempt'] = function(tag, a)
  local key, reason, forMs = ARGV[a + 1], ARGV[a + 4], tonumber(ARGV[a + 5])
  local reply, run, header = openHeld(tag, a, 'P')
  if reply then return reply end
  local again = leaveAttempt(run, a, header, 'P', reason)
  if again then
    event(run, table.concat({ K.eventStepParked, integer(run.at), key, '', '', '', '',
      cjson.encode({ reason = reason, forMs = forMs }) }, '|'))
    schedule(tag .. K.due, 'p|' .. key .. '|' .. run.id, now + forMs)
  end
  finishWhenDone(run)
  endLease(run, header, key)
  writeRun(run)
  if again then indexParked(run, key, reason, forMs) end
  return { again and 'parked' or 'cancelled' }
end
