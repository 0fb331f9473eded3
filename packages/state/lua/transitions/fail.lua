-- needs: attempts, begin-ending, call, edges-and-groups, error-groups, finish-run, hand-out, parked-steps, pending-writes, run, settle-step, step-header, waits
-- Attempts that did not succeed, and steps that the scheduler ends.

-- Who a step was lost with, the last at the end: worker ids joined by ',', with '!' behind one whose process lived on, so
-- that the step has ended the process that it had to itself. The last twenty.
local function addLoss(run, key, worker, alone)
  local names = {}
  for name in string.gmatch(stored(run, PREFIX.losses .. key) or '', '[^,]+') do names[#names + 1] = name end
  names[#names + 1] = worker .. (alone and '!' or '')
  put(run, PREFIX.losses .. key, table.concat(names, ',', math.max(1, #names - 19)))
end

-- A step that is made again from the beginning has another first attempt, and is counted anew.
local function addRateLimited(run, key, firstAt)
  local since, count = string.match(stored(run, PREFIX.rateLimited .. key) or '', '^(%d*)|(%d+)$')
  put(run, PREFIX.rateLimited .. key, firstAt .. '|' .. (since == firstAt and integer(count + 1) or '1'))
end

local function openFailing(tag, a)
  local run = newRun(tag, A.runId)
  want(run, PREFIX.header .. A.key)
  if A.parent ~= '' then want(run, PREFIX.header .. A.parent) end
  wantEdges(run, edgesOf(A.edges))
  return readRun(run)
end

-- Why the scheduler may not end the step; nil when it may.
local function refusalOfForced(run, a, header)
  if not isActive(run.status) and run.status ~= RUN.ending then return { 'rejected', 'ended' } end
  if not isOfOpening(run, A.opening) then return { 'rejected', 'reopened' } end
  local state = header and header[H.state] or NO_HEADER
  if not find(A.attemptIdOrStates, state, 1, true) then return { 'rejected', 'settled' } end
end

-- Of a call that does not hold the attempt: the answer of one that is repeated, or the refusal. Nil when it holds it.
local function answerOfOther(run, a, header)
  local fence, attemptId = A.fence, A.attemptIdOrStates
  if holds(header, fence, attemptId) then return nil end
  if isLastAttempt(header, fence, attemptId) then
    local state = header[H.state]
    if state == STEP.backingOff then return { 'retry', integer(run.created + tonumber(header[H.dueAt])) } end
    if state == STEP.failed or state == STEP.quarantined then return { 'failed' } end
    if state == STEP.cancelled then return { 'cancelled' } end
  end
  return rejectAttempt(run, A.key, header, fence, attemptId, 'superseded')
end

-- The attempt under way ends: what it counts as, and its event.
local function endFailedAttempt(run, a, step)
  local header, key = step.header, A.key
  if A.event == K.eventAttemptLost then
    step.crashes = step.crashes + 1
    addLoss(run, key, header[H.worker], A.wasAlone == '1')
  else
    step.failures = step.failures + 1
    if A.isRateLimited == '1' then addRateLimited(run, key, header[H.firstAt]) end
  end
  run.live = run.live - 1
  recordEvent(run, { A.event, run.atText, key, tonumber(header[H.failures]) + 1, header[H.fence], header[H.attemptId], '',
    A.error })
  if A.fence == '' then announce(K.channelAborts, run.id .. '|' .. key .. '|' .. header[H.attemptId]) end
end

-- `detail` is the last part, where the state has one.
local function putFailure(run, key, step, state, detail)
  local header = step.header
  putHeader(run, key, { state, step.failures, step.crashes, header[H.fence], header[H.attemptId],
    header[H.worker], header[H.firstAt], header[H.startedAt], run.atText, detail })
end

local function scheduleRetry(run, a, step)
  local key, delay = A.key, A.delayMs
  local at = run.at + tonumber(delay)
  putFailure(run, key, step, STEP.backingOff, integer(at))
  recordEvent(run, { K.eventRetryScheduled, run.atText, key, step.failures + 1, '', '', '', '{"delayMs":' .. delay .. '}' })
  startTimer(run, DUE.backoff, key, tonumber(delay))
  return { 'retry', integer(run.created + at) }
end

-- The map has failed by this item.
local function failMap(run, a, parent)
  put(run, PREFIX.output .. parent, A.runError)
  event(run, K.eventStepFailed .. '|' .. run.atText .. '|' .. parent .. '|||||' .. A.runError)
  if A.failFast ~= TOLERATED then keepDeadLetter(run, parent) end
  failRun(run, A.failFast, A.runError)
  announce(K.channelAborts, run.id .. '|' .. parent .. '.|')
end

-- Counts a failed item for its map. Returns the edges of a map that has settled by it.
local function settleFailedItem(run, a, parent)
  local map = headerOf(run, parent)
  if not map or map[MAP.state] ~= STEP.mapRunning then return nil end
  local outcome, nextItem = countItem(run, parent, map, false)
  if outcome == 'next' then sendStep(run, parent .. '.' .. nextItem) end
  if outcome == 'succeeded' then return A.successEdges end
  if outcome ~= 'failed' then return nil end
  failMap(run, a, parent)
  return A.edges
end

local function failForGood(run, a, step)
  local key, parent = A.key, A.parent
  putFailure(run, key, step, A.finalState)
  local isQuarantined = A.finalState == STEP.quarantined
  recordEvent(run, { isQuarantined and K.eventStepQuarantined or K.eventStepFailed, run.atText, key, '', '', '', '', A.error })
  if A.hasTotalLimit == '1' then endTimer(run, DUE.totalLimit, key) end
  if not step.running then
    endTimers(run, TIMERS.ofWaitingStep, key)
    unindexParked(run, key, step.header)
    if step.header[H.state] == STEP.waiting then endWait(run, key, step.header) end
  end
  local settles = A.edges
  if parent ~= '' then
    settles = settleFailedItem(run, a, parent)
  else
    if A.failFast ~= TOLERATED then keepDeadLetter(run, key) end
    failRun(run, A.failFast, A.runError)
  end
  if settles then
    local fired = settleStep(run, edgesOf(settles), A.isEndStep == '1')
    if run.status ~= RUN.ending then sendFired(run, fired) end
  end
  return { 'failed' }
end

-- Ends an attempt that did not succeed: it is tried again at a time, or the step has failed for good. Without a fence the
-- scheduler ends the step, wherever it stands: a time limit of the whole step has passed.
-- Args: attemptIdOrStates: without a fence the states, as one text, in which the step may be ended; event: attempt-failed,
--       attempt-timed-out or attempt-lost (code); error, runError: JSON; delayMs: '' for a final failure; failFast: 1|0, or
--       TOLERATED of a step whose failure is not the run's; isEndStep, hasTotalLimit, wasAlone (a lost attempt had a process
--       to itself): 1|0; parent: of a map item; edges: of a failure; successEdges: of a map item, because a tolerated failure
--       can be what completes the map
-- Reply: {'retry', at} | {'failed'} | {'cancelled'} | {'rejected', reason}
T['fail'] = function(tag, a)
  local key = A.key
  local run = openFailing(tag, a)
  if not run then return { 'rejected', 'gone' } end
  local header = headerOf(run, key)
  local answer
  if A.fence == '' then answer = refusalOfForced(run, a, header) else answer = answerOfOther(run, a, header) end
  if answer then return answer end
  header = header or { NO_HEADER, '0', '0', '', '', '', run.atText, run.atText }

  local step = { header = header, running = header[H.state] == STEP.running,
    failures = tonumber(header[H.failures]), crashes = tonumber(header[H.crashes]) }
  if step.running then endFailedAttempt(run, a, step) end
  put(run, PREFIX.output .. key, A.error)
  local reply
  if not isActive(run.status) then
    -- The run is ending: no retry, and the failure is not what ends it.
    putFailure(run, key, step, STEP.cancelled, 'run-ending')
    reply = { 'cancelled' }
  elseif A.delayMs ~= '' then
    reply = scheduleRetry(run, a, step)
  else
    reply = failForGood(run, a, step)
  end
  finishWhenDone(run)
  if step.running then endLease(run, header, key) end
  writeRun(run)
  if reply[1] == 'failed' or A.event ~= K.eventAttemptLost then
    recordError(run, A.errorHandler, A.errorCode, A.errorType, A.errorMessage)
  end
  return reply
end
