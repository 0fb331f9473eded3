-- needs: call, cleanups, finish-run, pending-writes, run, waits
-- When a run begins to end, and when it has ended.

-- After any change: the run ends when nothing is live and either it is ending or every end step has settled.
local function finishWhenDone(run)
  if run.live > 0 then return end
  if run.status == RUN.ending then
    endOrCleanUp(run)
  elseif run.endPending == 0 and isActive(run.status) then
    if run.hasFailed == '1' then
      if not stored(run, FIELD.cleanups) then return finish(run, RUN.failed, stored(run, FIELD.failure)) end
      run.status = RUN.ending
      put(run, FIELD.ending, ENDING.failed .. '|' .. stored(run, FIELD.failure))
      endOrCleanUp(run)
    elseif run.hasOutput == '1' then
      -- The output is an expression: the relay evaluates it and applies `finish-run`.
      send(run.tag, OUTBOX.output .. '|' .. run.id .. '|' .. definitionOf(run))
    else
      finish(run, RUN.succeeded)
    end
  end
end

-- Stops new steps at once; running attempts hear of it by the renewal reply, hastened by a message.
local function beginEnding(run, kind, data)
  run.status = RUN.ending
  put(run, FIELD.ending, kind .. '|' .. data)
  schedule(run.tag .. K.cancels, run.id, now)
  closeWaitsOf(run)
  if run.live > 0 then announce(K.channelAborts, run.id) end
end
