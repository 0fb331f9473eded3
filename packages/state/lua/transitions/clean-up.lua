-- Compensations and registered cleanups: what is made when a run ends without success, in reverse order, one at a time. Each
-- attempt is claimed, leased and fenced like that of a step, under a key of its own: `3!2` is the third cleanup of step 3.

local function isCleanup(key) return string.find(key, '!', 1, true) ~= nil end

-- The number of the cleanup whose turn it is, as text; nil before nothing ordinary is live, and when none is left.
local function cleanupInTurn(run)
  local cleanups = run.status == 'e' and cleanupsOf(run)
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
  local id, key = ARGV[a], ARGV[a + 1]
  local known = 'h' .. key
  local run = openRun(tag, id, 's' .. key, 'u', known)
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if not holds(header, ARGV[a + 2], ARGV[a + 3]) then return { 'rejected', 'superseded' } end
  local list, count = stored(run, known) or '', 0
  for digest, number in string.gmatch(list, '([^:,]+):(%d+)') do
    if digest == ARGV[a + 6] then return { 'registered', number } end
    count = count + 1
  end
  if count >= MOST_OF_A_STEP then return { 'refused' } end
  local number = registerCleanup(run, key .. '|' .. ARGV[a + 4] .. '|' .. ARGV[a + 5])
  put(run, known, list .. ARGV[a + 6] .. ':' .. number .. ',')
  event(run, table.concat({ K.eventCleanupRegistered, run.atText, key .. '!' .. number, tonumber(header[2]) + 1, ARGV[a + 2],
    ARGV[a + 3], '', '{"use":"' .. ARGV[a + 4] .. '"}' }, '|'))
  writeRun(run)
  return { 'registered', number }
end

-- Gives a worker the right to one attempt of a cleanup.
-- Args: runId, key, attemptId, worker, attemptMs
-- Reply: {'claimed|fence|now|createdAt|failures|crashes|first[|redoneIn]', run input, item, header and output of its step, how the run
--        ends (`c|error`)} | {'refused', gone|leased|settled|not-due}
T['claim-cleanup'] = function(tag, a)
  local id, key, attemptId, worker = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local stepKey = string.match(key, '^[^!]*')
  local run = openRun(tag, id, 's' .. key, 'u', 'x', 'i', 'i' .. stepKey, 's' .. stepKey, 'o' .. stepKey)
  local hint = 'q|' .. key .. '|' .. id
  if not run then
    unschedule(tag .. K.due, hint)
    return { 'refused', 'gone' }
  end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if not (header and header[1] == 'R' and header[5] == attemptId) then
    if not mayGoOn(run, key) then
      unschedule(tag .. K.due, hint)
      return { 'refused', 'settled' }
    end
    if header and header[1] == 'R' then return { 'refused', 'leased' } end
    if header and header[1] == 'B' then
      unschedule(tag .. K.due, hint)
      return { 'refused', 'not-due' }
    end
    if header then unindexParked(run, key, header) end
    startAttempt(run, key, attemptId, worker, header, ARGV[a + 4], key, K.eventCleanupStarted)
    run.live = run.live + 1
    writeRun(run)
    schedule(tag .. K.lease, id .. '|' .. key, LEASE_END_TEXT)
    unschedule(tag .. K.due, hint)
    header = parts(stored(run, 's' .. key))
  end
  return { table.concat({ 'claimed', header[4], nowText, run.createdText, header[2], header[3], header[7] }, '|') .. redoneIn(run, stepKey),
    stored(run, 'i') or '', stored(run, 'i' .. stepKey) or '', stored(run, 's' .. stepKey) or '',
    stored(run, 'o' .. stepKey) or '', stored(run, 'x') or '' }
end

local CLEANUP_EVENT = { S = K.eventCleanupSucceeded, F = K.eventCleanupFailed, B = K.eventCleanupRetried,
  Y = K.eventCleanupReleased, P = K.eventCleanupReleased }

-- Ends an attempt of a cleanup, or (without a fence) the cleanup whose time is over or that cannot be made, whatever is left
-- of its header.
-- Args: runId, key, fence or '', attemptId, what becomes of it (S succeeded, F failed for good, B tried again, Y handed back
--       uncharged, P parked uncharged), data of the event (JSON; F and B: the error; Y and P: {"reason"}) or '', delayMs of B
--       and P
-- Reply: {'ended'} | {'rejected', reason}
T['end-cleanup'] = function(tag, a)
  local id, key, fence, attemptId = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local becomes, data, delay = ARGV[a + 4], ARGV[a + 5], ARGV[a + 6]
  local run = openRun(tag, id, 's' .. key, 'u')
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  local forced = fence == ''
  if forced then
    if not mayGoOn(run, key) then return { 'rejected', 'settled' } end
    header = header or { '-' }
    local missing = { '-', '0', '0', '', '', '', run.atText, run.atText, key }
    for index = 1, #missing do header[index] = header[index] or missing[index] end
    fence, attemptId = header[4], header[5]
  elseif not mayGoOn(run, key) or not holds(header, fence, attemptId) then
    if header and header[1] == becomes and header[4] == fence and header[5] == attemptId then return { 'ended' } end
    event(run, table.concat({ K.eventCleanupRejected, run.atText, key, '', fence, attemptId, '',
      cjson.encode({ reason = 'superseded', state = header and header[1] or 'none' }) }, '|'))
    writeRun(run)
    return { 'rejected', 'superseded' }
  end
  local running = header[1] == 'R'
  local failures = tonumber(header[2]) or 0
  local attempt = running and integer(failures + 1) or ''
  if running then run.live = run.live - 1 end
  if running and (becomes == 'F' or becomes == 'B') then failures = failures + 1 end
  local reason = becomes == 'P' and cjson.decode(data).reason
  local detail = becomes == 'B' and '|' .. integer(run.at + tonumber(delay)) or reason and '|' .. reason or ''
  -- As of a step: the time spent parked before the first charged attempt does not count against the retries.
  local first = reason and failures == 0 and header[3] == '0' and '' or header[7]
  if forced then unindexParked(run, key, header) end
  put(run, 's' .. key, table.concat({ becomes, failures, header[3], fence, attemptId, header[6], first, header[8],
    run.atText }, '|') .. detail)
  if becomes == 'F' or becomes == 'B' then put(run, 'o' .. key, data) end
  if becomes == 'S' then remove(run, 'o' .. key) end
  local told = becomes == 'B' and '{"delayMs":' .. delay .. ',"error":' .. data .. '}' or data
  event(run, table.concat({ CLEANUP_EVENT[becomes], run.atText, key, attempt, fence, attemptId, '', told }, '|'))
  if running then endLease(run, header, key) end
  for timer in string.gmatch('qbp', '.') do unschedule(tag .. K.due, timer .. '|' .. key .. '|' .. id) end
  if becomes == 'B' then
    schedule(tag .. K.due, 'b|' .. key .. '|' .. id, now + tonumber(delay))
  elseif becomes == 'Y' then
    send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. key)
  elseif becomes == 'P' then
    event(run, table.concat({ K.eventCleanupParked, run.atText, key, '', '', '', '',
      cjson.encode({ reason = reason, forMs = tonumber(delay) }) }, '|'))
    schedule(tag .. K.due, 'p|' .. key .. '|' .. id, now + tonumber(delay))
  else
    unschedule(tag .. K.due, 't|' .. key .. '|' .. id)
    if forced and running then announce(K.channelAborts, id .. '|' .. key .. '|' .. attemptId) end
    local cleanups = cleanupsOf(run)
    cleanups.left = cleanups.left - 1
    if becomes == 'F' then cleanups.failed = cleanups.failed + 1 end
    nextCleanup(run, cleanups)
  end
  writeRun(run)
  if reason then indexParked(run, key, reason, tonumber(delay)) end
  return { 'ended' }
end
