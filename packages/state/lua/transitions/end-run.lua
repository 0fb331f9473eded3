-- Transitions of the run as a whole.

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

-- Args: runId. Reply: {'paused'} | {'refused', status} | {'gone'}
T['pause-run'] = function(tag, a)
  local run = openRun(tag, ARGV[a])
  if not run then return { 'gone' } end
  if run.status == 'p' then return { 'paused' } end
  if run.status ~= 'n' and run.status ~= 'r' then return { 'refused', run.status } end
  run.status = 'p'
  event(run, K.eventRunPaused .. '|' .. integer(run.at))
  writeRun(run)
  return { 'paused' }
end

-- Steps that were refused while the run was paused go back to the outbox, a slice of them at a time: a script that sent ten
-- thousand would hold Redis up. Returns how many are left.
local HELD_A_SLICE = 500
local function sendHeld(run)
  local key = run.tag .. K.paused .. run.id
  local held = call('SPOP', key, HELD_A_SLICE)
  for index = 1, #held do send(run.tag, 'S|' .. run.id .. '|' .. definitionOf(run) .. '|' .. held[index]) end
  if #held < HELD_A_SLICE then return 0 end
  return call('SCARD', key)
end

-- Args: runId. What one slice leaves the relay sends. Reply: {'resumed'} | {'refused', status} | {'gone'}
T['resume-run'] = function(tag, a)
  local run = openRun(tag, ARGV[a])
  if not run then return { 'gone' } end
  if run.status == 'n' or run.status == 'r' then return { 'resumed' } end
  if run.status ~= 'p' then return { 'refused', run.status } end
  -- What was held back is sent with it, after the writing.
  if not definitionOf(run) then error('run ' .. run.id .. ' has lost its definition') end
  -- Nothing has been written yet: a damaged key fails here.
  call('SCARD', tag .. K.paused .. run.id)
  run.status = 'r'
  event(run, K.eventRunResumed .. '|' .. integer(run.at))
  writeRun(run)
  if sendHeld(run) > 0 then send(tag, 'H|' .. run.id .. '|' .. definitionOf(run)) end
  return { 'resumed' }
end

-- The next slice of the steps of a resumed run. Args: runId. Reply: {how many are left}; one that was paused again keeps them.
T['send-held'] = function(tag, a)
  local run = openRun(tag, ARGV[a], 'd')
  if not run or (run.status ~= 'n' and run.status ~= 'r') then return { '0' } end
  return { integer(sendHeld(run)) }
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

-- Takes the timers of a run that has ended, or is gone, away; one that was reopened since has timers of its own.
-- Args: runId, step keys…
T['sweep-run'] = function(tag, a, count)
  local run = openRun(tag, ARGV[a])
  if run and not isTerminal(run.status) then return { 'refused' } end
  for index = 1, count - 1 do
    for timer in string.gmatch('qbdwtp', '.') do unschedule(tag .. K.due, timer .. '|' .. ARGV[a + index] .. '|' .. ARGV[a]) end
  end
  call('DEL', tag .. K.paused .. ARGV[a])
  return { 'swept' }
end

-- Args: runId. Reply: {'pruned'} | {'refused'}
T['prune-run'] = function(tag, a)
  local id = ARGV[a]
  local key = tag .. K.run .. id
  local values = call('HMGET', key, 'm', 'd', 'w', 't')
  if values[1] and not isTerminal(string.sub(values[1], 1, 1)) then return { 'refused' } end
  unschedule(tag .. K.ended, id)
  unschedule(tag .. K.runs, id)
  unschedule(tag .. K.dead, id)
  if not values[1] then return { 'pruned' } end
  unschedule(tag .. K.byWorkflow .. values[3], id)
  if values[4] then
    for _, label in ipairs(cjson.decode(values[4])) do unschedule(tag .. K.byTag .. label, id) end
  end
  call('UNLINK', key, tag .. K.history .. id, tag .. K.paused .. id, tag .. K.deadLetters .. id)
  local definitionKey = tag .. K.definition .. values[2]
  if call('HINCRBY', definitionKey, 'runs', -1) <= 0 then call('UNLINK', definitionKey) end
  return { 'pruned' }
end
