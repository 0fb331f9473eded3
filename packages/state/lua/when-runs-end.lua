-- When a run begins to end, and when it has ended.

-- After any change: the run ends when nothing is live and either it is ending or every end step has settled.
local function finishWhenDone(run)
  if run.live > 0 then return end
  if run.status == 'e' then
    endOrCleanUp(run)
  elseif run.endPending == 0 and isActive(run.status) then
    if run.hasFailed == '1' then
      if not stored(run, 'u') then return finish(run, 'F', stored(run, 'f')) end
      run.status = 'e'
      put(run, 'x', 'f|' .. stored(run, 'f'))
      endOrCleanUp(run)
    elseif run.hasOutput == '1' then
      -- The output is an expression: the relay evaluates it and applies `finish-run`.
      send(run.tag, 'F|' .. run.id .. '|' .. definitionOf(run))
    else
      finish(run, 'S')
    end
  end
end

-- Stops new steps at once; running attempts hear of it by the renewal reply, hastened by a message.
local function beginEnding(run, kind, data)
  run.status = 'e'
  put(run, 'x', kind .. '|' .. data)
  schedule(run.tag .. K.cancels, run.id, now)
  if run.live > 0 then announce(K.channelAborts, run.id) end
end
