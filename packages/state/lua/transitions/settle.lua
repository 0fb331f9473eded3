-- needs: call, edges-and-groups, gathered-writes, how-runs-end, parked-steps, run, settle-step, step-header, when-runs-end
-- Settles a step that no attempt settles: a branch, a delay whose time has come, an empty map, a skip, a failure that the
-- scheduler found before any attempt (an expression, a map that is not a list).
-- Args: runId, step key, state (S F K Q), detail (S: checkpoint parts; K: reason), output or error (JSON) or '',
--       allowed states it may be in now (letters; '-' for none yet), failFast, end step, timers to end (letters of w t d b p
--       q), run error (JSON) or '', edges (text), opening or ''
-- Reply: {'settled'} | {'refused', state|gone|cancelled|reopened}
local SETTLE_EVENT = { [STEP.succeeded] = K.eventStepSucceeded, [STEP.failed] = K.eventStepFailed, [STEP.skipped] = K.eventStepSkipped, [STEP.quarantined] = K.eventStepQuarantined }
T['settle'] = function(tag, a)
  local id, key, state, detail, body = A.runId, A.key, A.state, A.detail, A.body
  local run = newRun(tag, id)
  want(run, PREFIX.header .. key)
  wantEdges(run, edgesOf(A.edges))
  if not readRun(run) then return { 'refused', 'gone' } end
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  local current = header and header[H.state] or NO_HEADER
  for timer in string.gmatch(A.timers, '.') do unschedule(tag .. K.due, timer .. '|' .. key .. '|' .. id) end
  if not isActive(run.status) then return { 'refused', 'cancelled' } end
  if not isOfOpening(run, A.opening) then return { 'refused', 'reopened' } end
  if not string.find(A.from, current, 1, true) then return { 'refused', current } end
  if current == STEP.parked then
    -- Parked by a hint of an earlier opening: as if it had never been.
    unindexParked(run, key, header)
    unschedule(tag .. K.due, DUE.parked .. '|' .. key .. '|' .. id)
    header = nil
  end
  local started = header and header[H.startedAt] and header[H.startedAt] ~= '' and header[H.startedAt] or integer(run.at)
  local failures = header and tonumber(header[H.failures]) or 0
  put(run, PREFIX.header .. key, table.concat({ state, failures, header and header[H.crashes] or 0, header and header[H.fence] or '',
    '', '', header and header[H.firstAt] or integer(run.at), started, integer(run.at), detail }, '|'))
  if body ~= '' then put(run, PREFIX.output .. key, body) end
  local line = SETTLE_EVENT[state] .. '|' .. integer(run.at) .. '|' .. key
  if state == STEP.skipped then
    line = line .. '|||||{"reason":"' .. detail .. '"}'
  elseif state ~= STEP.succeeded then
    line = line .. '|||||' .. body
  end
  event(run, line)
  if run.status == RUN.pending then run.status = RUN.running end
  if state == STEP.failed or state == STEP.quarantined then
    keepDeadLetter(run, key)
    failRun(run, A.failFast, A.runError)
  end
  local fired = settleStep(run, edgesOf(A.edges), A.isEndStep == '1')
  if run.status ~= RUN.ending then sendFired(run, fired) end
  finishWhenDone(run)
  writeRun(run)
  return { 'settled' }
end
