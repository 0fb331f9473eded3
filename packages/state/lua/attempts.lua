-- needs: call, indexes, pending-writes, run, step-header
-- Attempts: their start, their leases, and who holds them.

-- The first attempt of a step when this call has started others of the run: what they have in common is put together once.
local function startFirstAttempt(run, key, attemptId, worker, attemptMs, head)
  local at, same = run.atText, run.firstAttempts
  if not same or same.worker ~= worker or same.attemptMs ~= attemptMs then
    same = {
      worker = worker,
      attemptMs = attemptMs,
      header = STEP.running .. '|0|0|' .. at .. '|',
      afterAttempt = '|' .. worker .. '|' .. at .. '|' .. at .. '|',
      deadline = '|' .. integer(run.at + attemptMs),
      event = K.eventAttemptStarted .. '|' .. at .. '|',
      afterKey = '|1|' .. at .. '|',
      eventEnd = '|' .. worker,
    }
    run.firstAttempts = same
  end
  put(run, PREFIX.header .. key, same.header .. attemptId .. same.afterAttempt .. head .. same.deadline)
  event(run, same.event .. key .. same.afterKey .. attemptId .. same.eventEnd)
  return at, '0', '0', at
end

-- Starts an attempt: header, event, fence. `previous` are the parts of the step's last header or nil; `head` names the
-- in-flight entry: a continued step keeps that of the step the worker's chain began with.
local function startAttempt(run, key, attemptId, worker, previous, attemptMs, head, started)
  local at = run.atText
  if not previous and run.starts then return startFirstAttempt(run, key, attemptId, worker, attemptMs, head) end
  run.starts = true
  local failures, crashes, fence, first, attempt = '0', '0', at, at, '1'
  if previous then
    moveWait(run, key, waitOf(previous), nil)
    failures, crashes = previous[H.failures], previous[H.crashes]
    attempt = integer(failures + 1)
    local before = tonumber(previous[H.fence])
    if before and before + 1 > run.at then fence = integer(before + 1) end
    if previous[H.firstAt] ~= '' then first = previous[H.firstAt] end
  end
  put(run, PREFIX.header .. key, STEP.running .. '|' .. failures .. '|' .. crashes .. '|' .. fence .. '|' .. attemptId
    .. '|' .. worker .. '|' .. first
    .. '|' .. at .. '|' .. head .. '|' .. integer(run.at + attemptMs))
  event(run, (started or K.eventAttemptStarted) .. '|' .. at .. '|' .. key .. '|' .. attempt .. '|' .. fence .. '|'
    .. attemptId .. '|' .. worker)
  return fence, failures, crashes, first
end

-- Ends the in-flight entry of an attempt whose chain began with the step `head`.
local function endLeaseOf(run, head, key)
  unschedule(run.tag .. K.lease, run.id .. '|' .. head)
  if head ~= key then remove(run, PREFIX.chain .. head) end
end

-- The same, of an attempt whose header parts are given.
local function endLease(run, header, key) endLeaseOf(run, header[H.chainHead], key) end

-- A header of a later attempt, or none: the result is refused and recorded, whatever the run's state.
local function rejectAttempt(run, key, header, fence, attemptId, reason)
  recordEvent(run, { K.eventAttemptRejected, run.atText, key, '', fence, attemptId, '',
    cjson.encode({ reason = reason, state = header and header[H.state] or 'none' }) })
  writeRun(run)
  return { 'rejected', reason }
end

-- True when the header is of a running attempt that the caller holds.
local function holds(header, fence, attemptId)
  return isLastAttempt(header, fence, attemptId) and header[H.state] == STEP.running
end
