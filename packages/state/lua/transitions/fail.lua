-- needs: attempts, call, edges-and-groups, gathered-writes, how-runs-end, parked-steps, run, settle-step, step-header, when-runs-end
-- Who a step was lost with, the last at the end: worker ids joined by ',', with '!' behind one whose process lived on, so
-- that the step has ended the process that it had to itself. The last twenty.
local function addLoss(run, key, worker, alone)
  local names = {}
  for name in string.gmatch(stored(run, PREFIX.losses .. key) or '', '[^,]+') do names[#names + 1] = name end
  names[#names + 1] = worker .. (alone and '!' or '')
  put(run, PREFIX.losses .. key, table.concat(names, ',', math.max(1, #names - 19)))
end

-- Ends an attempt that did not succeed: it is tried again at a time, or the step has failed for good.
-- Args: runId, step key, fence and attemptId (or '' and the states, '-' for none
--       yet, in which the scheduler ends the step), event (attempt-failed or attempt-timed-out code), error (JSON), delayMs or ''
--       for a final failure, failFast (1|0), end step (1|0), total timer (1|0), parent key or '', run error (JSON),
--       final state (F failed, Q quarantined), edges of a failure (text); map items: edges of a success, too,
--       because a tolerated failure can be what completes the map; whether a lost attempt had a process to itself (1|0);
--       opening or ''
-- Reply: {'retry', at} | {'failed'} | {'cancelled'} | {'rejected', reason}
T['fail'] = function(tag, a)
  local id, key, fence, attemptId = A.runId, A.key, A.fence, A.attemptIdOrStates
  local delay, parent, edges = A.delayMs, A.parent, A.edges
  local run = newRun(tag, id)
  want(run, PREFIX.header .. key)
  if parent ~= '' then want(run, PREFIX.header .. parent) end
  wantEdges(run, edgesOf(edges))
  if not readRun(run) then return { 'rejected', 'gone' } end
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  -- Without a fence the scheduler ends the step, wherever it stands: a time limit of the whole step has passed.
  local forced = fence == ''
  local running = header and header[H.state] == STEP.running
  if forced then
    if not isActive(run.status) and run.status ~= RUN.ending then return { 'rejected', 'ended' } end
    if not isOfOpening(run, A.opening) then return { 'rejected', 'reopened' } end
    if not string.find(attemptId, header and header[H.state] or NO_HEADER, 1, true) then return { 'rejected', 'settled' } end
    header = header or { NO_HEADER, '0', '0', '', '', '', integer(run.at), integer(run.at) }
    fence, attemptId = header[H.fence], header[H.attemptId]
  elseif header and header[H.fence] == fence and header[H.attemptId] == attemptId then
    if header[H.state] == STEP.backingOff then return { 'retry', integer(run.created + tonumber(header[H.dueAt])) } end
    if header[H.state] == STEP.failed or header[H.state] == STEP.quarantined then return { 'failed' } end
    if header[H.state] == STEP.cancelled then return { 'cancelled' } end
  end
  if not forced and not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end

  local failures, crashes = tonumber(header[H.failures]), tonumber(header[H.crashes])
  if running then
    if A.event == K.eventAttemptLost then
      crashes = crashes + 1
      addLoss(run, key, header[H.worker], A.wasAlone == '1')
    else
      failures = failures + 1
    end
    run.live = run.live - 1
    event(run, table.concat({ A.event, integer(run.at), key, tonumber(header[H.failures]) + 1, fence, attemptId, '', A.error }, '|'))
    if forced then announce(K.channelAborts, id .. '|' .. key .. '|' .. attemptId) end
  end
  local tail = { crashes, fence, attemptId, header[H.worker], header[H.firstAt], header[H.startedAt], integer(run.at) }
  local function headerOf(state, extra)
    return state .. '|' .. failures .. '|' .. table.concat(tail, '|') .. (extra and '|' .. extra or '')
  end
  put(run, PREFIX.output .. key, A.error)
  local reply
  if not isActive(run.status) then
    -- The run is ending: no retry, and the failure is not what ends it.
    put(run, PREFIX.header .. key, headerOf(STEP.cancelled, 'run-ending'))
    reply = { 'cancelled' }
  elseif delay ~= '' then
    local at = run.at + tonumber(delay)
    put(run, PREFIX.header .. key, headerOf(STEP.backingOff, integer(at)))
    event(run, K.eventRetryScheduled .. '|' .. integer(run.at) .. '|' .. key .. '|' .. (failures + 1) .. '||||{"delayMs":' .. delay .. '}')
    schedule(tag .. K.due, DUE.backoff .. '|' .. key .. '|' .. id, now + tonumber(delay))
    reply = { 'retry', integer(run.created + at) }
  else
    reply = { 'failed' }
    put(run, PREFIX.header .. key, headerOf(A.finalState))
    event(run, (A.finalState == STEP.quarantined and K.eventStepQuarantined or K.eventStepFailed)
      .. '|' .. integer(run.at) .. '|' .. key .. '|||||' .. A.error)
    if A.hasTotalLimit == '1' then unschedule(tag .. K.due, DUE.totalLimit .. '|' .. key .. '|' .. id) end
    if not running then
      for timer in string.gmatch(TIMERS.ofWaitingStep, '.') do unschedule(tag .. K.due, timer .. '|' .. key .. '|' .. id) end
      unindexParked(run, key, header)
    end
    local settles = parent == '' and edges
    if parent ~= '' then
      local map = stored(run, PREFIX.header .. parent) and parts(stored(run, PREFIX.header .. parent))
      if map and map[MAP.state] == STEP.mapRunning then
        local outcome, nextItem = countItem(run, parent, map, false)
        if outcome == 'next' then send(tag, OUTBOX.step .. '|' .. id .. '|' .. definitionOf(run) .. '|' .. parent .. '.' .. nextItem) end
        if outcome == 'failed' then
          put(run, PREFIX.output .. parent, A.runError)
          event(run, K.eventStepFailed .. '|' .. integer(run.at) .. '|' .. parent .. '|||||' .. A.runError)
          keepDeadLetter(run, parent)
          failRun(run, A.failFast, A.runError)
          announce(K.channelAborts, id .. '|' .. parent .. '.|')
          settles = edges
        elseif outcome == 'succeeded' then
          settles = A.successEdges
        end
      end
    else
      keepDeadLetter(run, key)
      failRun(run, A.failFast, A.runError)
    end
    if settles then
      local fired = settleStep(run, edgesOf(settles), A.isEndStep == '1')
      if run.status ~= RUN.ending then sendFired(run, fired) end
    end
  end
  finishWhenDone(run)
  if running then endLease(run, header, key) end
  writeRun(run)
  return reply
end
