-- needs: call, pending-writes, run, waits
-- How a run ends: its status, its dead letters, what hears of it.

-- A step of the definition has failed for good: it is a dead letter once its run has ended failed or timed out.
local function keepDeadLetter(run, key)
  local letters = run.tag .. K.deadLetters .. run.id
  -- Nothing has been written yet: a damaged key fails here.
  if not run.deadLetters then call('ZCARD', letters) end
  run.deadLetters = run.deadLetters or { 'ZADD', letters }
  local add = run.deadLetters
  add[#add + 1] = key
  add[#add + 1] = key
end

-- Ends the run. `status`: S F C T. Only called when nothing of the run is live.
local TERMINAL_EVENT = {
  [RUN.succeeded] = K.eventRunSucceeded, [RUN.failed] = K.eventRunFailed,
  [RUN.cancelled] = K.eventRunCancelled, [RUN.timedOut] = K.eventRunTimedOut,
}
local function finish(run, status, data)
  run.status = status
  put(run, FIELD.endedAt, run.atText)
  recordUnusedSignals(run)
  local line = TERMINAL_EVENT[status] .. '|' .. run.atText
  if data then line = line .. '||||||' .. data end
  event(run, line)
  unschedule(run.tag .. K.due, DUE.runLimit .. '||' .. run.id)
  schedule(run.tag .. K.ended, run.id, now)
  local mayBeDead = status == RUN.failed or status == RUN.timedOut
  if mayBeDead and (run.deadLetters or call('EXISTS', run.tag .. K.deadLetters .. run.id) == 1) then
    schedule(run.tag .. K.dead, run.id, now)
  end
  unschedule(run.tag .. K.cancels, run.id)
  -- A run that did not end by itself may have timers of steps that will never start: the relay sweeps them.
  -- One whose definition has been lost cannot be swept; it ends all the same.
  if status ~= RUN.succeeded and definitionOf(run) then
    send(run.tag, OUTBOX.sweep .. '|' .. run.id .. '|' .. definitionOf(run))
  end
  closeWaitsOf(run)
  announceToParent(run)
  announce(K.channelEnded, run.id)
end

local ENDING_STATUS = { [ENDING.failed] = RUN.failed, [ENDING.cancelled] = RUN.cancelled, [ENDING.timedOut] = RUN.timedOut }

local function finishEnding(run)
  local ending = stored(run, FIELD.ending)
  finish(run, ENDING_STATUS[string.sub(ending, 1, 1)], string.sub(ending, 3))
end
