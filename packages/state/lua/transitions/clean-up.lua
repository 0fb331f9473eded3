-- needs: attempts, call, cleanups, error-groups, hand-out, parked-steps, pending-writes, run, step-header
-- Compensations and registered cleanups: what is made when a run ends without success, in reverse order, one at a time. Each
-- attempt is claimed, leased and fenced like that of a step, under a key of its own: `3!2` is the third cleanup of step 3.

local function isCleanup(key) return string.find(key, '!', 1, true) ~= nil end

-- The number of the cleanup whose turn it is, as text; nil before nothing ordinary is live, and when none is left. Of an ended
-- run it is one that had failed and that somebody has asked for.
local function cleanupInTurn(run)
  if isTerminal(run.status) then return stored(run, FIELD.cleanupAgain) or nil end
  local cleanups = run.status == RUN.ending and cleanupsOf(run)
  if not cleanups or cleanups.begun ~= '1' or cleanups.left == 0 then return nil end
  return integer(cleanups.left - 1)
end

-- Whether a step may become ready, and so be claimed; of a cleanup, whether it is its turn.
local function canBecomeReady(run, key)
  if not isCleanup(key) then return isActive(run.status) end
  return string.match(key, '!(%d+)$') == cleanupInTurn(run)
end

-- A step that registers more has a loop in it.
local MOST_OF_A_STEP = 100

-- Keeps a cleanup for the run's end. The same handler and input of the same step, from whichever attempt, are one.
-- Args: use: the handler; input: JSON; digest: of both
-- Reply: {'registered', number} | {'refused'} too many | {'rejected', reason}
T['register-cleanup'] = function(tag, a)
  local id, key = A.runId, A.key
  local known = PREFIX.registered .. key
  local run = openRun(tag, id, PREFIX.header .. key, FIELD.cleanups, known)
  if not run then return { 'rejected', 'gone' } end
  local header = headerOf(run, key)
  if not holds(header, A.fence, A.attemptId) then return { 'rejected', 'superseded' } end
  local list, count = stored(run, known) or '', 0
  for digest, number in string.gmatch(list, '([^:,]+):(%d+)') do
    if digest == A.digest then return { 'registered', number } end
    count = count + 1
  end
  if count >= MOST_OF_A_STEP then return { 'refused' } end
  local number = registerCleanup(run, key .. '|' .. A.use .. '|' .. A.input)
  put(run, known, list .. A.digest .. ':' .. number .. ',')
  recordEvent(run, { K.eventCleanupRegistered, run.atText, key .. '!' .. number, tonumber(header[H.failures]) + 1, A.fence,
    A.attemptId, '', '{"use":"' .. A.use .. '"}' })
  writeRun(run)
  return { 'registered', number }
end

-- Gives a worker the right to one attempt of a cleanup.
-- Reply: {'claimed|fence|now|createdAt|failures|crashes|first[|redoneIn]', run input, item, header and output of its step, how
--        the run ends (`c|error`)} | {'refused', gone|leased|settled|not-due}
T['claim-cleanup'] = function(tag, a)
  local id, key, attemptId, worker = A.runId, A.key, A.attemptId, A.worker
  local stepKey = string.match(key, '^[^!]*')
  local run = openRun(tag, id, PREFIX.header .. key, FIELD.cleanups, FIELD.ending, FIELD.input, PREFIX.item .. stepKey,
    PREFIX.header .. stepKey, PREFIX.output .. stepKey)
  local hint = DUE.hint .. '|' .. key .. '|' .. id
  if not run then
    unschedule(tag .. K.due, hint)
    return { 'refused', 'gone' }
  end
  local header = headerOf(run, key)
  if not isRunningAs(header, attemptId) then
    if not canBecomeReady(run, key) then
      unschedule(tag .. K.due, hint)
      return { 'refused', 'settled' }
    end
    if header and header[H.state] == STEP.running then return { 'refused', 'leased' } end
    if header and header[H.state] == STEP.backingOff then
      unschedule(tag .. K.due, hint)
      return { 'refused', 'not-due' }
    end
    if header then unindexParked(run, key, header) end
    startAttempt(run, key, attemptId, worker, header, A.attemptMs, key, K.eventCleanupStarted)
    run.live = run.live + 1
    writeRun(run)
    schedule(tag .. K.lease, id .. '|' .. key, LEASE_END_TEXT)
    unschedule(tag .. K.due, hint)
    header = parts(stored(run, PREFIX.header .. key))
  end
  local claimed = table.concat({ 'claimed', header[H.fence], nowText, run.createdText, header[H.failures], header[H.crashes],
    header[H.firstAt] }, '|') .. redoneIn(run, stepKey)
  return { claimed,
    stored(run, FIELD.input) or '', stored(run, PREFIX.item .. stepKey) or '', stored(run, PREFIX.header .. stepKey) or '',
    stored(run, PREFIX.output .. stepKey) or '', stored(run, FIELD.ending) or '' }
end

local CLEANUP_EVENT = {
  [STEP.succeeded] = K.eventCleanupSucceeded, [STEP.failed] = K.eventCleanupFailed, [STEP.backingOff] = K.eventCleanupRetried,
  [STEP.ready] = K.eventCleanupReleased, [STEP.parked] = K.eventCleanupReleased }

-- The header of a cleanup that is ended whatever is left of it.
local function wholeHeader(run, key, header)
  header = header or { NO_HEADER }
  local missing = { NO_HEADER, '0', '0', '', '', '', run.atText, run.atText, key }
  for index = 1, #missing do header[index] = header[index] or missing[index] end
  return header
end

local function rejectCleanup(run, key, header, attempt)
  recordEvent(run, { K.eventCleanupRejected, run.atText, key, '', attempt.fence, attempt.id, '',
    cjson.encode({ reason = 'superseded', state = header and header[H.state] or 'none' }) })
  writeRun(run)
  return { 'rejected', 'superseded' }
end

-- The header and, of an attempt under way, its event. `ending` says how it ends; its failures are counted here.
local function putCleanupEnd(run, key, header, ending)
  local becomes, isRunning = ending.becomes, header[H.state] == STEP.running
  local failures = tonumber(header[H.failures]) or 0
  local attempt = isRunning and integer(failures + 1) or ''
  if isRunning and (becomes == STEP.failed or becomes == STEP.backingOff) then failures = failures + 1 end
  local detail = ending.reason
  if becomes == STEP.backingOff then detail = integer(run.at + ending.delay) end
  -- As of a step: the time spent parked before the first charged attempt does not count against the retries.
  local first = ending.reason and failures == 0 and header[H.crashes] == '0' and '' or header[H.firstAt]
  putHeader(run, key, { becomes, failures, header[H.crashes], header[H.fence], header[H.attemptId],
    header[H.worker], first, header[H.startedAt], run.atText, detail })
  local data = ending.data
  if becomes == STEP.failed or becomes == STEP.backingOff then put(run, PREFIX.output .. key, data) end
  if becomes == STEP.succeeded then remove(run, PREFIX.output .. key) end
  if becomes == STEP.backingOff then data = '{"delayMs":' .. ending.delayText .. ',"error":' .. data .. '}' end
  recordEvent(run, { CLEANUP_EVENT[becomes], run.atText, key, attempt, header[H.fence], header[H.attemptId], '', data })
end

-- The cleanup is made or has failed for good: the next one's turn, or the run's end. Of an ended run nothing follows.
local function settleCleanup(run, key, becomes)
  endTimer(run, DUE.totalLimit, key)
  local cleanups = cleanupsOf(run)
  cleanups.left = cleanups.left - 1
  if becomes == STEP.failed then cleanups.failed = cleanups.failed + 1 end
  if not isTerminal(run.status) then return nextCleanup(run, cleanups) end
  putCleanups(run, cleanups)
  remove(run, FIELD.cleanupAgain)
  if cleanups.failed == 0 then unschedule(run.tag .. K.failedCleanups, run.id) end
end

-- When it is tried again, if it is; else it has settled.
local function goOnFromCleanup(run, key, ending)
  if ending.becomes == STEP.backingOff then
    startTimer(run, DUE.backoff, key, ending.delay)
  elseif ending.becomes == STEP.ready then
    sendStep(run, key)
  elseif ending.becomes == STEP.parked then
    recordEvent(run, { K.eventCleanupParked, run.atText, key, '', '', '', '',
      cjson.encode({ reason = ending.reason, forMs = ending.delay }) })
    startTimer(run, DUE.parked, key, ending.delay)
  else
    settleCleanup(run, key, ending.becomes)
  end
end

-- Has a cleanup made again that failed for good; the run stays as it ended. One at a time.
-- Reply: {'retried'|'already'} | {'refused', status of a run that has not ended or that succeeded} | {'refused', 'busy', number
--        that is being made again} | {'refused', 'none'} | {'refused', 'not-failed'} | {'gone'}
T['retry-cleanup'] = function(tag, a)
  local run = openRun(tag, A.runId, FIELD.cleanups, FIELD.cleanupAgain, PREFIX.cleanup .. A.number)
  if not run or not definitionOf(run) then return { 'gone' } end
  if not isTerminal(run.status) or run.status == RUN.succeeded then return { 'refused', run.status } end
  local again = stored(run, FIELD.cleanupAgain)
  if again == A.number then return { 'already' } end
  if again then return { 'refused', 'busy', again } end
  local cleanups, entry = cleanupsOf(run), stored(run, PREFIX.cleanup .. A.number)
  local stepKey = entry and string.match(entry, '^(%d+%.?%d*)')
  if not stepKey or not cleanups or cleanups.damaged then return { 'refused', 'none' } end
  local key = stepKey .. '!' .. A.number
  local header = headerOf(run, key)
  if not header or header[H.state] ~= STEP.failed then return { 'refused', 'not-failed' } end
  -- It begins without failures and losses, as a step of a retried run does; its idempotency key is the same.
  for prefix in string.gmatch(PREFIX.header .. PREFIX.output .. PREFIX.losses .. PREFIX.rateLimited, '.') do
    remove(run, prefix .. key)
  end
  cleanups.left, cleanups.failed = cleanups.left + 1, cleanups.failed - 1
  putCleanups(run, cleanups)
  put(run, FIELD.cleanupAgain, A.number)
  recordEvent(run, { K.eventCleanupRequested, run.atText, key })
  sendStep(run, key)
  writeRun(run)
  return { 'retried' }
end

-- Ends an attempt of a cleanup, or (without a fence) the cleanup whose time is over or that cannot be made.
-- Args: becomes: state, succeeded, failed (for good), backingOff (tried again), ready (handed back uncharged) or parked
--       (uncharged); data of the event (JSON): of failed and backingOff the error, of ready and parked {"reason"}, else '';
--       delayMs of backingOff and parked
-- Reply: {'ended'} | {'rejected', reason}
T['end-cleanup'] = function(tag, a)
  local key, becomes = A.key, A.becomes
  local run = openRun(tag, A.runId, PREFIX.header .. key, FIELD.cleanups)
  if not run then return { 'rejected', 'gone' } end
  local header, isForced = headerOf(run, key), A.fence == ''
  if isForced then
    if not canBecomeReady(run, key) then return { 'rejected', 'settled' } end
    header = wholeHeader(run, key, header)
  elseif not canBecomeReady(run, key) or not holds(header, A.fence, A.attemptId) then
    local isOwn = isLastAttempt(header, A.fence, A.attemptId)
    if isOwn and header[H.state] == becomes then return { 'ended' } end
    return rejectCleanup(run, key, header, { fence = A.fence, id = A.attemptId })
  end
  local ending = { becomes = becomes, data = A.data, delayText = A.delayMs, delay = tonumber(A.delayMs),
    reason = becomes == STEP.parked and cjson.decode(A.data).reason or nil }
  if isForced then unindexParked(run, key, header) end
  putCleanupEnd(run, key, header, ending)
  if header[H.state] == STEP.running then
    run.live = run.live - 1
    endLease(run, header, key)
    local isSettled = becomes == STEP.succeeded or becomes == STEP.failed
    if isForced and isSettled then announce(K.channelAborts, run.id .. '|' .. key .. '|' .. header[H.attemptId]) end
  end
  endTimers(run, TIMERS.ofWaitingCleanup, key)
  goOnFromCleanup(run, key, ending)
  writeRun(run)
  if ending.reason then indexParked(run, key, ending.reason, ending.delay) end
  if becomes == STEP.failed or becomes == STEP.backingOff then
    recordError(run, A.errorHandler, A.errorCode, A.errorType, A.errorMessage)
  end
  return { 'ended' }
end
