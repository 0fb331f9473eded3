-- What ends a run that its steps do not end, and the end whose output is an expression.

-- What every cancellation of a run is told: `y` is when the one that took effect came, and the seq of its event.
local function cancelReply(run, what)
  local at, seq = string.match(stored(run, 'y') or '', '^(%d+)|(%d+)$')
  local outcome = run.status == 'e' and ENDING_STATUS[string.sub(stored(run, 'x') or '', 1, 1)] or run.status
  return { what, run.status, integer(at and run.created + at or now), seq or '', outcome }
end

-- Args: runId, reason (JSON data of the event).
-- Reply: {'cancelling'|'ended'|'already-cancelling', status, when the cancellation that took effect came or now, the seq of
-- its event or '', status that the run ends with} | {'gone'}
T['cancel-run'] = function(tag, a)
  local run = openRun(tag, ARGV[a], 'x', 'y')
  if not run then return { 'gone' } end
  if isTerminal(run.status) then return cancelReply(run, 'ended') end
  if run.status == 'e' then return cancelReply(run, 'already-cancelling') end
  put(run, 'y', integer(run.at) .. '|' .. integer(call('LLEN', tag .. K.history .. run.id)))
  event(run, K.eventCancelRequested .. '|' .. integer(run.at) .. '||||||' .. ARGV[a + 1])
  beginEnding(run, 'c', ARGV[a + 1])
  finishWhenDone(run)
  writeRun(run)
  return cancelReply(run, 'cancelling')
end

-- The run's own time limit. Args: runId, error (JSON). Reply: {'ending'} | {'ended'}
T['time-out-run'] = function(tag, a)
  local run = openRun(tag, ARGV[a])
  unschedule(tag .. K.due, 'r||' .. ARGV[a])
  if not run or not isActive(run.status) then return { 'ended' } end
  beginEnding(run, 't', ARGV[a + 1])
  finishWhenDone(run)
  writeRun(run)
  return { 'ending' }
end

-- Ends a run that cannot go on, whatever its steps do: its definition is gone or damaged. Cleanups are none of its business,
-- or asking again would undo what the first call began: one that cannot be made is failed with `end-cleanup`.
-- Args: runId, error (JSON). Reply: {'ending'} | {'ended'}
T['fail-run'] = function(tag, a)
  local run = openRun(tag, ARGV[a])
  if not run or isTerminal(run.status) or run.status == 'e' then return { 'ended' } end
  beginEnding(run, 'f', ARGV[a + 1])
  finishWhenDone(run)
  writeRun(run)
  return { 'ending' }
end

-- The run's end when its output is an expression. Args: runId, S|F, output or error (JSON). Reply: {'finished'} | {'refused'}
T['finish-run'] = function(tag, a)
  local run = openRun(tag, ARGV[a])
  if not run or not isActive(run.status) or run.endPending ~= 0 or run.live > 0 then return { 'refused' } end
  if ARGV[a + 1] == 'S' then
    put(run, 'o', ARGV[a + 2])
    finish(run, 'S')
  else
    run.hasFailed = '1'
    put(run, 'f', ARGV[a + 2])
    finishWhenDone(run)
  end
  writeRun(run)
  return { 'finished' }
end
