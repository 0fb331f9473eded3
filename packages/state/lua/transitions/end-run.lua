-- needs: begin-ending, call, error-groups, finish-run, pending-writes, run
-- What ends a run that its steps do not end, and the end whose output is an expression.

-- What every cancellation of a run is told: `y` is when the one that took effect came, and the seq of its event.
local function cancelReply(run, what)
  local at, seq = string.match(stored(run, FIELD.cancellation) or '', '^(%d+)|(%d+)$')
  local outcome = run.status == RUN.ending and ENDING_STATUS[string.sub(stored(run, FIELD.ending) or '', 1, 1)] or run.status
  return { what, run.status, integer(at and run.created + at or now), seq or '', outcome }
end

-- Args: reason: JSON, the event's data
-- Reply: {'cancelling'|'ended'|'already-cancelling', status, when the cancellation that took effect came or now, the seq of
-- its event or '', status that the run ends with} | {'gone'}
T['cancel-run'] = function(tag, a)
  local run = openRun(tag, A.runId, FIELD.ending, FIELD.cancellation)
  if not run then return { 'gone' } end
  if isTerminal(run.status) then return cancelReply(run, 'ended') end
  if run.status == RUN.ending then return cancelReply(run, 'already-cancelling') end
  put(run, FIELD.cancellation, integer(run.at) .. '|' .. integer(call('LLEN', tag .. K.history .. run.id)))
  event(run, K.eventCancelRequested .. '|' .. run.atText .. '||||||' .. A.reason)
  beginEnding(run, ENDING.cancelled, A.reason)
  finishWhenDone(run)
  writeRun(run)
  return cancelReply(run, 'cancelling')
end

-- The run's own time limit. Reply: {'ending'} | {'ended'}
T['time-out-run'] = function(tag, a)
  local run = openRun(tag, A.runId)
  unschedule(tag .. K.due, DUE.runLimit .. '||' .. A.runId)
  if not run or not isActive(run.status) then return { 'ended' } end
  beginEnding(run, ENDING.timedOut, A.error)
  finishWhenDone(run)
  writeRun(run)
  recordError(run, A.errorHandler, A.errorCode, A.errorType, A.errorMessage)
  return { 'ending' }
end

-- Ends a run that cannot go on, whatever its steps do: its definition is gone or damaged. Cleanups are none of its business,
-- or asking again would undo what the first call began: one that cannot be made is failed with `end-cleanup`.
-- Args: setAside: '' or, of an entry that has ended its readers, JSON, the event's data
-- Reply: {'ending'} | {'ended'}
T['fail-run'] = function(tag, a)
  local run = openRun(tag, A.runId)
  if not run or isTerminal(run.status) or run.status == RUN.ending then return { 'ended' } end
  if A.setAside ~= '' then event(run, K.eventEntrySetAside .. '|' .. run.atText .. '||||||' .. A.setAside) end
  beginEnding(run, ENDING.failed, A.error)
  finishWhenDone(run)
  writeRun(run)
  recordError(run, A.errorHandler, A.errorCode, A.errorType, A.errorMessage)
  return { 'ending' }
end

-- The run's end when its output is an expression. Args: outcome: succeeded or failed; result: output or error (JSON)
-- Reply: {'finished'} | {'refused'}
T['finish-run'] = function(tag, a)
  local run = openRun(tag, A.runId)
  if not run or not isActive(run.status) or run.endPending ~= 0 or run.live > 0 then return { 'refused' } end
  if A.outcome == RUN.succeeded then
    put(run, FIELD.output, A.result)
    finish(run, RUN.succeeded)
  else
    run.hasFailed = '1'
    put(run, FIELD.failure, A.result)
    finishWhenDone(run)
  end
  writeRun(run)
  if A.outcome == RUN.failed then
    recordError(run, A.errorHandler, A.errorCode, A.errorType, A.errorMessage)
  end
  return { 'finished' }
end
