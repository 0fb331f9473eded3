-- needs: call, pending-writes, run
-- What stands about a step outside its run: entries of the due index, `kind|step key|run`, and of the outbox.

local function startTimer(run, kind, key, inMs)
  schedule(run.tag .. K.due, kind .. '|' .. key .. '|' .. run.id, now + inMs)
end

local function endTimer(run, kind, key) unschedule(run.tag .. K.due, kind .. '|' .. key .. '|' .. run.id) end

-- `kinds`: letters of the due index as one text.
local function endTimers(run, kinds, key)
  for kind in string.gmatch(kinds, '.') do endTimer(run, kind, key) end
end

-- The step is ready: a scheduler hands it to workers.
local function sendStep(run, key)
  send(run.tag, OUTBOX.step .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. key)
end
