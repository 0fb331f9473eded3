-- needs: call, finish-run, hand-out, pending-writes, run
-- Cleanups: compensations of steps that have succeeded, and what attempts have registered. `u` of a run that has any is
-- `registered|left|failed|begun`; `u0`, `u1`, … are they, in the order of registration: `step key|handler|input`, of a
-- compensation the step key alone. They are made last first, one after the other. The key of the third of step 3 is `3!2`.
local CLEANUPS = '^(%d+)|(%d+)|(%d+)|([01])$'
local NO_CLEANUPS = { registered = 0, left = 0, failed = 0, begun = '0' }
local LOST_CLEANUP = '{"code":"DATA_CORRUPTION","message":"what was registered cannot be read","type":"non_retryable"}'

-- Nil when the run has none.
local function cleanupsOf(run)
  local text = stored(run, FIELD.cleanups)
  if not text then return nil end
  local registered, left, failed, begun = string.match(text, CLEANUPS)
  if not registered then return { damaged = true, registered = 0, left = 0, failed = 1, begun = '0' } end
  return { registered = tonumber(registered), left = tonumber(left), failed = tonumber(failed), begun = begun }
end

local function putCleanups(run, cleanups)
  put(run, FIELD.cleanups, integer(cleanups.registered) .. '|' .. integer(cleanups.left) .. '|' .. integer(cleanups.failed) .. '|'
    .. cleanups.begun)
end

-- Returns the cleanup's number.
local function registerCleanup(run, entry)
  local cleanups = cleanupsOf(run) or NO_CLEANUPS
  local number = integer(cleanups.registered)
  put(run, PREFIX.cleanup .. number, entry)
  putCleanups(run, { registered = cleanups.registered + 1, left = cleanups.left + 1, failed = cleanups.failed, begun = '0' })
  return number
end

-- Hands out the cleanup whose turn it is, or ends the run when none is left. What cannot be read has failed.
local function nextCleanup(run, cleanups)
  while cleanups.left > 0 do
    local number = integer(cleanups.left - 1)
    local entry = definitionOf(run) and stored(run, PREFIX.cleanup .. number)
    local stepKey = entry and string.match(entry, '^(%d+%.?%d*)')
    if stepKey then
      putCleanups(run, cleanups)
      sendStep(run, stepKey .. '!' .. number)
      return
    end
    event(run, K.eventCleanupFailed .. '|' .. run.atText .. '|!' .. number .. '|||||' .. LOST_CLEANUP)
    cleanups.left, cleanups.failed = cleanups.left - 1, cleanups.failed + 1
  end
  putCleanups(run, cleanups)
  if cleanups.failed > 0 then schedule(run.tag .. K.failedCleanups, run.id, now) end
  finishEnding(run)
end

-- Nothing ordinary of an ending run is live any more: its cleanups begin, or it ends.
local function endOrCleanUp(run)
  local cleanups = cleanupsOf(run)
  if not cleanups then return finishEnding(run) end
  if cleanups.begun == '1' then return end
  cleanups.begun = '1'
  if cleanups.damaged then event(run, K.eventCleanupFailed .. '|' .. run.atText .. '||||||' .. LOST_CLEANUP) end
  -- Workers need not hear of it any longer.
  unschedule(run.tag .. K.cancels, run.id)
  nextCleanup(run, cleanups)
end
