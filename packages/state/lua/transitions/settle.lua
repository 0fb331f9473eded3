-- needs: begin-ending, call, edges-and-groups, error-groups, finish-run, hand-out, parked-steps, run, settle-step, step-header, waits
-- Steps that settle without an attempt.

local SETTLE_EVENT = {
  [STEP.succeeded] = K.eventStepSucceeded, [STEP.failed] = K.eventStepFailed, [STEP.skipped] = K.eventStepSkipped,
  [STEP.quarantined] = K.eventStepQuarantined }

-- Why the step may not be settled; nil when it may.
local function refusalToSettle(run, a, state)
  if not isActive(run.status) then return { 'refused', 'cancelled' } end
  if not isOfOpening(run, A.opening) then return { 'refused', 'reopened' } end
  if not find(A.from, state, 1, true) then return { 'refused', state } end
end

-- The settled step's header and output or error. `header`: what it has of earlier attempts, or nil.
local function putSettled(run, a, header)
  local at, key = run.atText, A.key
  local started = header and header[H.startedAt] ~= '' and header[H.startedAt] or at
  putHeader(run, key, { A.state, header and tonumber(header[H.failures]) or 0,
    header and header[H.crashes] or 0, header and header[H.fence] or '', '', '', header and header[H.firstAt] or at, started, at,
    A.detail })
  if A.body ~= '' then put(run, PREFIX.output .. key, A.body) end
end

local function settledEvent(run, a)
  local line = SETTLE_EVENT[A.state] .. '|' .. run.atText .. '|' .. A.key
  if A.state == STEP.skipped then return line .. '|||||{"reason":"' .. A.detail .. '"}' end
  if A.state == STEP.succeeded then return line end
  return line .. '|||||' .. A.body
end

-- Settles a step that no attempt settles: a branch, a delay whose time has come, an empty map, a skip, a failure that the
-- scheduler found before any attempt (an expression, a map that is not a list).
-- Args: state: succeeded, failed, skipped or quarantined; detail: of succeeded the checkpoint, of skipped the reason; body:
--       output or error (JSON) or ''; from: states it may be in now, as one text; failFast, isEndStep: 1|0; timers: kinds of
--       due entries that end, as one text; runError: JSON or ''; edges: text
-- Reply: {'settled'} | {'refused', state|gone|cancelled|reopened}
T['settle'] = function(tag, a)
  local key = A.key
  local run = newRun(tag, A.runId)
  want(run, PREFIX.header .. key)
  wantEdges(run, edgesOf(A.edges))
  if not readRun(run) then return { 'refused', 'gone' } end
  local header = headerOf(run, key)
  local state = header and header[H.state] or NO_HEADER
  endTimers(run, A.timers, key)
  local refusal = refusalToSettle(run, a, state)
  if refusal then return refusal end
  if state == STEP.parked then
    -- Parked by a hint of an earlier opening: as if it had never been.
    unindexParked(run, key, header)
    endTimer(run, DUE.parked, key)
    header = nil
  end
  if state == STEP.waiting then endWait(run, key, header) end
  putSettled(run, a, header)
  event(run, settledEvent(run, a))
  if run.status == RUN.pending then run.status = RUN.running end
  if A.state == STEP.failed or A.state == STEP.quarantined then
    keepDeadLetter(run, key)
    failRun(run, A.failFast, A.runError)
  end
  local fired = settleStep(run, edgesOf(A.edges), A.isEndStep == '1')
  if run.status ~= RUN.ending then sendFired(run, fired) end
  finishWhenDone(run)
  writeRun(run)
  if A.state == STEP.failed or A.state == STEP.quarantined then
    recordError(run, A.errorHandler, A.errorCode, A.errorType, A.errorMessage)
  end
  return { 'settled' }
end
