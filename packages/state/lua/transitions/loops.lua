-- needs: begin-ending, call, edges-and-groups, hand-out, run, settle-step, step-header, transitions/start-waiting
-- A loop is a map whose items are made one after the other. When one has succeeded a scheduler decides what follows.

-- The loop's header when it waits for the decision after this many iterations; or nil and the refusal.
local function openBetweenIterations(run, a)
  if not run then return nil, { 'refused', 'gone' } end
  if not isActive(run.status) then return nil, { 'refused', 'cancelled' } end
  local header = headerOf(run, A.key)
  local waits = header and header[H.state] == STEP.waiting and header[H.waitKind] == LOOP_WAIT
  if not waits or header[H.subject] ~= A.iterations then return nil, { 'refused', 'moved' } end
  return header
end

-- Starts the next iteration. Args: iterations: that have ended; item: of the next one (JSON); maxSteps: the budget or '';
--       definitionSteps: how many the definition has
-- Reply: {'continued'} | {'refused', gone|cancelled|moved|budget}
T['continue-loop'] = function(tag, a)
  local run = openRun(tag, A.runId, PREFIX.header .. A.key)
  local header, refusal = openBetweenIterations(run, a)
  if not header then return refusal end
  if not countMadeSteps(run, 1, A.maxSteps, A.definitionSteps) then return { 'refused', 'budget' } end
  local item, items = A.key .. '.' .. A.iterations, integer(A.iterations + 1)
  put(run, PREFIX.item .. item, A.item)
  putHeader(run, A.key, { STEP.mapRunning, items, items, A.iterations, 0, 1, 0, header[H.startedAt], '', MAP_MODE.loop })
  sendStep(run, item)
  writeRun(run)
  return { 'continued' }
end

-- Args: iterations: that have ended; endedBy: condition, limit or budget; isEndStep: 1|0; edges: text
-- Reply: {'ended'} | {'refused', gone|cancelled|moved}
T['end-loop'] = function(tag, a)
  local run = newRun(tag, A.runId)
  want(run, PREFIX.header .. A.key)
  wantEdges(run, edgesOf(A.edges))
  local header, refusal = openBetweenIterations(readRun(run), a)
  if not header then return refusal end
  putHeader(run, A.key, { STEP.mapSucceeded, A.iterations, 0, header[H.startedAt], run.atText, A.endedBy })
  event(run, K.eventStepSucceeded .. '|' .. run.atText .. '|' .. A.key)
  local fired = settleStep(run, edgesOf(A.edges), A.isEndStep == '1')
  sendFired(run, fired)
  finishWhenDone(run)
  writeRun(run)
  return { 'ended' }
end
