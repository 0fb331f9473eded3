-- Settles a step that no attempt settles: a branch, a delay whose time has come, an empty map, a skip, a failure that the
-- scheduler found before any attempt (an expression, a map that is not a list).
-- Args: runId, step key, state (S F K Q), detail (S: checkpoint parts; K: reason), output or error (JSON) or '',
--       allowed states it may be in now (letters; '-' for none yet), failFast, end step, timers to end (letters of w t d b p
--       q), run error (JSON) or '', edges (text), opening or ''
-- Reply: {'settled'} | {'refused', state|gone|cancelled|reopened}
local SETTLE_EVENT = { S = K.eventStepSucceeded, F = K.eventStepFailed, K = K.eventStepSkipped, Q = K.eventStepQuarantined }
T['settle'] = function(tag, a)
  local id, key, state, detail, body = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local run = newRun(tag, id)
  want(run, 's' .. key)
  wantEdges(run, edgesOf(ARGV[a + 10]))
  if not readRun(run) then return { 'refused', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  local current = header and header[1] or '-'
  for timer in string.gmatch(ARGV[a + 8], '.') do unschedule(tag .. K.due, timer .. '|' .. key .. '|' .. id) end
  if not isActive(run.status) then return { 'refused', 'cancelled' } end
  if not isOfOpening(run, ARGV[a + 11]) then return { 'refused', 'reopened' } end
  if not string.find(ARGV[a + 5], current, 1, true) then return { 'refused', current } end
  if current == 'P' then
    -- Parked by a hint of an earlier opening: as if it had never been.
    unindexParked(run, key, header)
    unschedule(tag .. K.due, 'p|' .. key .. '|' .. id)
    header = nil
  end
  local started = header and header[8] and header[8] ~= '' and header[8] or integer(run.at)
  local failures = header and tonumber(header[2]) or 0
  put(run, 's' .. key, table.concat({ state, failures, header and header[3] or 0, header and header[4] or '',
    '', '', header and header[7] or integer(run.at), started, integer(run.at), detail }, '|'))
  if body ~= '' then put(run, 'o' .. key, body) end
  local line = SETTLE_EVENT[state] .. '|' .. integer(run.at) .. '|' .. key
  if state == 'K' then
    line = line .. '|||||{"reason":"' .. detail .. '"}'
  elseif state ~= 'S' then
    line = line .. '|||||' .. body
  end
  event(run, line)
  if run.status == 'n' then run.status = 'r' end
  if state == 'F' or state == 'Q' then
    keepDeadLetter(run, key)
    failRun(run, ARGV[a + 6], ARGV[a + 9])
  end
  local fired = settleStep(run, edgesOf(ARGV[a + 10]), ARGV[a + 7] == '1')
  if run.status ~= 'e' then sendFired(run, fired) end
  finishWhenDone(run)
  writeRun(run)
  return { 'settled' }
end
