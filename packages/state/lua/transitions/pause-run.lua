-- needs: call, hand-out, pending-writes, run
-- A paused run starts no step; what it holds back is sent when it is resumed.

-- Reply: {'paused'} | {'refused', status} | {'gone'}
-- `why`: JSON, or nil when somebody asked for it. False when the run is not one that can be paused.
local function pause(run, why)
  if run.status ~= RUN.pending and run.status ~= RUN.running then return false end
  run.status = RUN.paused
  event(run, K.eventRunPaused .. '|' .. run.atText .. (why and '||||||' .. why or ''))
  return true
end

T['pause-run'] = function(tag, a)
  local run = openRun(tag, A.runId)
  if not run then return { 'gone' } end
  if run.status == RUN.paused then return { 'paused' } end
  if not pause(run) then return { 'refused', run.status } end
  writeRun(run)
  return { 'paused' }
end

-- Steps that were refused while the run was paused go back to the outbox, a slice of them at a time: a script that sent ten
-- thousand would hold Redis up. Returns how many are left.
local HELD_A_SLICE = 500
local function sendHeld(run)
  local key = run.tag .. K.paused .. run.id
  local held = call('SPOP', key, HELD_A_SLICE)
  for index = 1, #held do sendStep(run, held[index]) end
  if #held < HELD_A_SLICE then return 0 end
  return call('SCARD', key)
end

-- What one slice leaves the relay sends. Reply: {'resumed'} | {'refused', status} | {'gone'}
T['resume-run'] = function(tag, a)
  local run = openRun(tag, A.runId)
  if not run then return { 'gone' } end
  if run.status == RUN.pending or run.status == RUN.running then return { 'resumed' } end
  if run.status ~= RUN.paused then return { 'refused', run.status } end
  -- What was held back is sent with it, after the writing.
  if not definitionOf(run) then error('run ' .. run.id .. ' has lost its definition') end
  -- Nothing has been written yet: a damaged key fails here.
  call('SCARD', tag .. K.paused .. run.id)
  run.status = RUN.running
  put(run, FIELD.resumedAt, run.atText)
  event(run, K.eventRunResumed .. '|' .. run.atText)
  writeRun(run)
  if sendHeld(run) > 0 then send(tag, OUTBOX.heldSteps .. '|' .. run.id .. '|' .. definitionOf(run)) end
  return { 'resumed' }
end

-- The next slice of the steps of a resumed run. Reply: {how many are left}; one that was paused again keeps them.
T['send-held'] = function(tag, a)
  local run = openRun(tag, A.runId, FIELD.definition)
  if not run or (run.status ~= RUN.pending and run.status ~= RUN.running) then return { '0' } end
  return { integer(sendHeld(run)) }
end
