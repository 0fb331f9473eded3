-- needs: attempts, begin-ending, call, hand-out, parked-steps, run, step-header
-- Attempts that end without being charged: handed back to the fleet, or parked until a time.

-- Ends the attempt that the caller holds. `waiting` is what the step becomes when its run goes on: Y ready again, P parked.
-- Returns the reply, or nil, the run and its header's parts: the caller then hands the step on with `leaveAttempt`.
local function openHeld(tag, a, waiting)
  local id, key, fence, attemptId = A.runId, A.key, A.fence, A.attemptId
  local parent = parentOf(key)
  local run = openRun(tag, id, PREFIX.header .. key, parent and PREFIX.header .. parent or FIELD.meta)
  if not run then return { 'rejected', 'gone' } end
  local header = headerOf(run, key)
  if isLastAttempt(header, fence, attemptId) then
    if header[H.state] == waiting then return { waiting == STEP.parked and 'parked' or 'released' } end
    if header[H.state] == STEP.cancelled then return { 'cancelled' } end
  end
  if not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end
  return nil, run, header
end

-- Returns whether the step waits now; false when it was cancelled, because its run ends or its map has settled without it.
local function leaveAttempt(run, a, header, waiting, detail)
  local key, fence, attemptId = A.key, A.fence, A.attemptId
  local parent = parentOf(key)
  run.live = run.live - 1
  -- An item of a map that has settled without it is not made again.
  local mapSettled = parent and string.sub(stored(run, PREFIX.header .. parent) or NO_HEADER, 1, 1) ~= STEP.mapRunning
  local again = isActive(run.status) and not mapSettled
  -- The time that a step spends parked before its first charged attempt does not count against its retries.
  local isCharged = header[H.failures] ~= '0' or header[H.crashes] ~= '0'
  local first = again and waiting == STEP.parked and not isCharged and '' or header[H.firstAt]
  putHeader(run, key, { again and waiting or STEP.cancelled, header[H.failures], header[H.crashes], fence, attemptId,
    header[H.worker], first, header[H.startedAt], run.atText, again and detail or mapSettled and 'map-settled' or 'run-ending' })
  recordEvent(run, { K.eventAttemptCancelled, run.atText, key, tonumber(header[H.failures]) + 1, fence, attemptId, '',
    cjson.encode({ reason = A.reason }) })
  return again
end

-- Hands a claimed attempt back without charging it: the worker drains or cannot make it.
-- Reply: {'released'} | {'cancelled'} | {'rejected', reason}
T['release'] = function(tag, a)
  local reply, run, header = openHeld(tag, a, STEP.ready)
  if reply then return reply end
  local again = leaveAttempt(run, a, header, STEP.ready, '')
  if again then sendStep(run, A.key) end
  finishWhenDone(run)
  endLease(run, header, A.key)
  writeRun(run)
  return { again and 'released' or 'cancelled' }
end

-- Parks the step of a claimed attempt without charging it: what it needs cannot be had before a time.
-- Args: reason: letters, digits, `-`, `.`, `:`, `_`
-- Reply: {'parked'} | {'cancelled'} | {'rejected', reason}
T['park-attempt'] = function(tag, a)
  local key, reason, forMs = A.key, A.reason, tonumber(A.againInMs)
  local reply, run, header = openHeld(tag, a, STEP.parked)
  if reply then return reply end
  local again = leaveAttempt(run, a, header, STEP.parked, reason)
  if again then
    recordEvent(run, { K.eventStepParked, run.atText, key, '', '', '', '',
      cjson.encode({ reason = reason, forMs = forMs }) })
    startTimer(run, DUE.parked, key, forMs)
  end
  finishWhenDone(run)
  endLease(run, header, key)
  writeRun(run)
  if again then indexParked(run, key, reason, forMs) end
  return { again and 'parked' or 'cancelled' }
end
