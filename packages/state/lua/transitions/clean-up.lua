-- needs: attempts, call, cleanups, gathered-writes, parked-steps, run, step-header
-- Compensations and registered cleanups: what is made when a run ends without success, in reverse order, one at a time. Each
-- attempt is claimed, leased and fenced like that of a step, under a key of its own: `3!2` is the third cleanup of step 3.

local function isCleanup(key) return string.find(key, '!', 1, true) ~= nil end

-- The number of the cleanup whose turn it is, as text; nil before nothing ordinary is live, and when none is left.
local function cleanupInTurn(run)
  local cleanups = run.status == RUN.ending and cleanupsOf(run)
  if not cleanups or cleanups.begun ~= '1' or cleanups.left == 0 then return nil end
  return integer(cleanups.left - 1)
end

-- Whether a step may become ready, and so be claimed; of a cleanup, whether it is its turn.
local function mayGoOn(run, key)
  if not isCleanup(key) then return isActive(run.status) end
  return string.match(key, '!(%d+)$') == cleanupInTurn(run)
end

-- A step that registers more has a loop in it.
local MOST_OF_A_STEP = 100

-- Keeps a cleanup for the run's end. The same handler and input of the same step, from whichever attempt, are one.
-- Args: runId, step key, fence, attemptId, handler, input (JSON), digest of handler and input
-- Reply: {'registered', number} | {'refused'} too many | {'rejected', reason}
T['register-cleanup'] = function(tag, a)
  local id, key = A.runId, A.key
  local known = PREFIX.registered .. key
  local run = openRun(tag, id, PREFIX.header .. key, FIELD.cleanups, known)
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  if not holds(header, A.fence, A.attemptId) then return { 'rejected', 'superseded' } end
  local list, count = stored(run, known) or '', 0
  for digest, number in string.gmatch(list, '([^:,]+):(%d+)') do
    if digest == A.digest then return { 'registered', number } end
    count = count + 1
  end
  if count >= MOST_OF_A_STEP then return { 'refused' } end
  local number = registerCleanup(run, key .. '|' .. A.use .. '|' .. A.input)
  put(run, known, list .. A.digest .. ':' .. number .. ',')
  event(run, table.concat({ K.eventCleanupRegistered, run.atText, key .. '!' .. number, tonumber(header[H.failures]) + 1, A.fence,
    A.attemptId, '', '{"use":"' .. A.use .. '"}' }, '|'))
  writeRun(run)
  return { 'registered', number }
end

-- Gives a worker the right to one attempt of a cleanup.
-- Args: runId, key, attemptId, worker, attemptMs
-- Reply: {'claimed|fence|now|createdAt|failures|crashes|first[|redoneIn]', run input, item, header and output of its step, how the run
--        ends (`c|error`)} | {'refused', gone|leased|settled|not-due}
T['claim-cleanup'] = function(tag, a)
  local id, key, attemptId, worker = A.runId, A.key, A.attemptId, A.worker
  local stepKey = string.match(key, '^[^!]*')
  local run = openRun(tag, id, PREFIX.header .. key, FIELD.cleanups, FIELD.ending, FIELD.input, PREFIX.item .. stepKey, PREFIX.header .. stepKey, PREFIX.output .. stepKey)
  local hint = DUE.hint .. '|' .. key .. '|' .. id
  if not run then
    unschedule(tag .. K.due, hint)
    return { 'refused', 'gone' }
  end
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  if not (header and header[H.state] == STEP.running and header[H.attemptId] == attemptId) then
    if not mayGoOn(run, key) then
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
  return { table.concat({ 'claimed', header[H.fence], nowText, run.createdText, header[H.failures], header[H.crashes], header[H.firstAt] }, '|') .. redoneIn(run, stepKey),
    stored(run, FIELD.input) or '', stored(run, PREFIX.item .. stepKey) or '', stored(run, PREFIX.header .. stepKey) or '',
    stored(run, PREFIX.output .. stepKey) or '', stored(run, FIELD.ending) or '' }
end

local CLEANUP_EVENT = { [STEP.succeeded] = K.eventCleanupSucceeded, [STEP.failed] = K.eventCleanupFailed, [STEP.backingOff] = K.eventCleanupRetried,
  [STEP.ready] = K.eventCleanupReleased, [STEP.parked] = K.eventCleanupReleased }

-- Ends an attempt of a cleanup, or (without a fence) the cleanup whose time is over or that cannot be made, whatever is left
-- of its header.
-- Args: runId, key, fence or '', attemptId, what becomes of it (S succeeded, F failed for good, B tried again, Y handed back
--       uncharged, P parked uncharged), data of the event (JSON; F and B: the error; Y and P: {"reason"}) or '', delayMs of B
--       and P
-- Reply: {'ended'} | {'rejected', reason}
T['end-cleanup'] = function(tag, a)
  local id, key, fence, attemptId = A.runId, A.key, A.fence, A.attemptId
  local becomes, data, delay = A.becomes, A.data, A.delayMs
  local run = openRun(tag, id, PREFIX.header .. key, FIELD.cleanups)
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, PREFIX.header .. key)
  local header = found and parts(found)
  local forced = fence == ''
  if forced then
    if not mayGoOn(run, key) then return { 'rejected', 'settled' } end
    header = header or { NO_HEADER }
    local missing = { NO_HEADER, '0', '0', '', '', '', run.atText, run.atText, key }
    for index = 1, #missing do header[index] = header[index] or missing[index] end
    fence, attemptId = header[H.fence], header[H.attemptId]
  elseif not mayGoOn(run, key) or not holds(header, fence, attemptId) then
    if header and header[H.state] == becomes and header[H.fence] == fence and header[H.attemptId] == attemptId then return { 'ended' } end
    event(run, table.concat({ K.eventCleanupRejected, run.atText, key, '', fence, attemptId, '',
      cjson.encode({ reason = 'superseded', state = header and header[H.state] or 'none' }) }, '|'))
    writeRun(run)
    return { 'rejected', 'superseded' }
  end
  local running = header[H.state] == STEP.running
  local failures = tonumber(header[H.failures]) or 0
  local attempt = running and integer(failures + 1) or ''
  if running then run.live = run.live - 1 end
  if running and (becomes == STEP.failed or becomes == STEP.backingOff) then failures = failures + 1 end
  local reason = becomes == STEP.parked and cjson.decode(data).reason
  local detail = becomes == STEP.backingOff and '|' .. integer(run.at + tonumber(delay)) or reason and '|' .. reason or ''
  -- As of a step: the time spent parked before the first charged attempt does not count against the retries.
  local first = reason and failures == 0 and header[H.crashes] == '0' and '' or header[H.firstAt]
  if forced then unindexParked(run, key, header) end
  put(run, PREFIX.header .. key, table.concat({ becomes, failures, header[H.crashes], fence, attemptId, header[H.worker], first, header[H.startedAt],
    run.atText }, '|') .. detail)
  if becomes == STEP.failed or becomes == STEP.backingOff then put(run, PREFIX.output .. key, data) end
  if becomes == STEP.succeeded then remove(run, PREFIX.output .. key) end
  local told = becomes == STEP.backingOff and '{"delayMs":' .. delay .. ',"error":' .. data .. '}' or data
  event(run, table.concat({ CLEANUP_EVENT[becomes], run.atText, key, attempt, fence, attemptId, '', told }, '|'))
  if running then endLease(run, header, key) end
  for timer in string.gmatch(TIMERS.ofWaitingCleanup, '.') do unschedule(tag .. K.due, timer .. '|' .. key .. '|' .. id) end
  if becomes == STEP.backingOff then
    schedule(tag .. K.due, DUE.backoff .. '|' .. key .. '|' .. id, now + tonumber(delay))
  elseif becomes == STEP.ready then
    send(tag, OUTBOX.step .. '|' .. id .. '|' .. definitionOf(run) .. '|' .. key)
  elseif becomes == STEP.parked then
    event(run, table.concat({ K.eventCleanupParked, run.atText, key, '', '', '', '',
      cjson.encode({ reason = reason, forMs = tonumber(delay) }) }, '|'))
    schedule(tag .. K.due, DUE.parked .. '|' .. key .. '|' .. id, now + tonumber(delay))
  else
    unschedule(tag .. K.due, DUE.totalLimit .. '|' .. key .. '|' .. id)
    if forced and running then announce(K.channelAborts, id .. '|' .. key .. '|' .. attemptId) end
    local cleanups = cleanupsOf(run)
    cleanups.left = cleanups.left - 1
    if becomes == STEP.failed then cleanups.failed = cleanups.failed + 1 end
    nextCleanup(run, cleanups)
  end
  writeRun(run)
  if reason then indexParked(run, key, reason, tonumber(delay)) end
  return { 'ended' }
end
