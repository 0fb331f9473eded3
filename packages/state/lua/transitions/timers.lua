-- needs: attempts, begin-ending, call, hand-out, pending-writes, run, step-header, transitions/clean-up, transitions/fail, waits
-- The due index and the in-flight entries: what must happen at a time, on Redis' clock.

-- A due entry that a scheduler has taken is out of the others' sight for this long; then another takes it.
local TAKEN_MS = 3000

-- Makes a backing-off (b) or parked (p) step ready again.
local function makeReadyAgain(tag, member, letter, key, id)
  unschedule(tag .. K.due, member)
  local run = openRun(tag, id, PREFIX.header .. key)
  local header = run and headerOf(run, key)
  if not header or not canBecomeReady(run, key) then return end
  if letter == DUE.backoff and header[H.state] == STEP.backingOff then
    putHeader(run, key, { STEP.ready, header[H.failures], header[H.crashes], header[H.fence], '', '', header[H.firstAt],
      header[H.startedAt] })
    sendStep(run, key)
    writeRun(run)
  elseif letter == DUE.parked and header[H.state] == STEP.parked then
    sendStep(run, key)
  end
end

-- The time of a wait is over: a scheduler settles the step with its default, or fails it.
local function endWaitTime(tag, member, key, id)
  unschedule(tag .. K.due, member)
  local run = openRun(tag, id, PREFIX.header .. key)
  local header = run and headerOf(run, key)
  if not header or header[H.state] ~= STEP.waiting or header[H.answer] ~= '' or not isActive(run.status) then return end
  answerWait(run, key, header, WAIT_ANSWER.timeout)
  writeRun(run)
end

-- Takes due entries. What needs no plan is done here: backing-off and parked steps become ready again. A run whose fields
-- are damaged keeps none of the others waiting: its entries are handed to the scheduler. How often an entry was taken
-- before stands behind the point of its score, in eighths of a millisecond: those who took it may have died of it.
-- Reply: {ms until the next is due or '', entries looked at, attempts in flight (1|0), taken member, its score, …}: members
-- are `letter|step key|runId`. With as many looked at as were asked for, more may be due now.
T['take-due'] = function(tag, a)
  local due = tag .. K.due
  local entries = call('ZRANGE', due, 0, A.limit - 1, 'WITHSCORES')
  local nextInMs, lookedAt, reply = '', 0, {}
  for index = 1, #entries, 2 do
    local member, score = entries[index], tonumber(entries[index + 1])
    if score > now then
      nextInMs = integer(score - now)
      break
    end
    lookedAt = lookedAt + 1
    local letter, key, id = string.match(member, '^(.)|([^|]*)|(.*)$')
    local isParked = letter == DUE.backoff or letter == DUE.parked
    local done = isParked and withSeparateWrites(makeReadyAgain, tag, member, letter, key, id)
      or letter == DUE.waitLimit and withSeparateWrites(endWaitTime, tag, member, key, id)
    if not letter then
      -- Nobody could tell what it was for.
      unschedule(due, member)
    elseif not done then
      local takings = math.min(7, score % 1 * 8 + 1)
      schedule(due, member, format('%.3f', now + TAKEN_MS + takings / 8))
      reply[#reply + 1] = member
      reply[#reply + 1] = entries[index + 1]
    end
  end
  return { nextInMs, lookedAt, call('EXISTS', tag .. K.lease), unpack(reply) }
end

-- A dispatched step whose claim has not come; it may have been parked before.
-- Reply: {'waiting'} still unclaimed; {'done'} claimed, settled or gone.
T['recheck'] = function(tag, a)
  local id, key = A.runId, A.key
  local member = DUE.hint .. '|' .. key .. '|' .. id
  local run = openRun(tag, id, PREFIX.header .. key)
  local found = run and stored(run, PREFIX.header .. key)
  local state = found and string.sub(found, 1, 1) or NO_HEADER
  if not run or not canBecomeReady(run, key) or not string.find(STATES.unclaimed, state, 1, true) then
    unschedule(tag .. K.due, member)
    return { 'done' }
  end
  schedule(tag .. K.due, member, now + tonumber(A.againInMs))
  if A.handsOutAgain == '1' then sendStep(run, key) end
  return { 'waiting' }
end

-- A step that has waited for its worker's lease to run out is looked after sooner than others: the scheduler or worker
-- that its new hint goes to may die as well.
local LOST_RECHECK_MS = 1000

-- Looks at one in-flight entry. Returns true when its attempt was lost with its worker; or what a plan is needed for, with
-- the run, step key and header.
local function reclaimEntry(tag, member, id, head, crashLimit, leaseEnds)
  local lease = tag .. K.lease
  local key = call('HGET', tag .. K.run .. id, PREFIX.chain .. head) or head
  local run = openRun(tag, id, PREFIX.header .. key, PREFIX.losses .. key)
  local header = run and headerOf(run, key)
  if not header or header[H.state] ~= STEP.running or header[H.chainHead] ~= head then
    unschedule(lease, member)
    return
  end
  local worker = header[H.worker]
  -- Of a damaged header at least the attempt ends.
  local failures, crashes = tonumber(header[H.failures]) or 0, tonumber(header[H.crashes]) or 0
  local deadline = tonumber(header[H.deadline]) or 0
  if leaseEnds[worker] == nil then leaseEnds[worker] = tonumber(call('ZSCORE', tag .. K.workers, worker)) or 0 end
  if leaseEnds[worker] > now then
    if run.at <= deadline + TAKEN_MS then
      schedule(lease, member, leaseEnds[worker] + 1)
      return
    end
    return { 'overdue', key, id, header[H.fence], header[H.attemptId], definitionOf(run) or '' }
  end
  if crashes + 1 > crashLimit then
    return { 'crashes', key, id, header[H.fence], header[H.attemptId], definitionOf(run) or '' }
  end
  local again = canBecomeReady(run, key)
  run.live = run.live - 1
  putHeader(run, key, { again and STEP.ready or STEP.cancelled, failures, crashes + 1, header[H.fence], '', '', header[H.firstAt],
    header[H.startedAt], run.atText, again and '' or 'run-ending' })
  addLoss(run, key, worker, false)
  recordEvent(run, { isCleanup(key) and K.eventCleanupLost or K.eventAttemptLost, run.atText, key, failures + 1, 
    header[H.fence], header[H.attemptId], worker })
  if again then
    sendStep(run, key)
    startTimer(run, DUE.hint, key, LOST_RECHECK_MS)
  end
  finishWhenDone(run)
  endLease(run, header, key)
  writeRun(run)
  return true
end

-- Ends attempts whose worker's lease has run out. Entries of living workers are moved to their lease's end.
-- Suspended for a moment when nothing looked here for a while (Redis paused, all schedulers down): living workers must
-- be able to renew first. A run whose fields are damaged keeps none of the others waiting.
-- Args: pauseMs: a pause that suspends. Reply: {lost count, suspended (1|0), entries
-- looked at, then 'overdue'|'crashes'|'damaged', step key, runId, fence, attemptId, definitionHash, …} for what the
-- scheduler decides. With as many looked at as were asked for, more may wait.
T['reclaim'] = function(tag, a)
  local beat = call('HMGET', tag .. K.reclaim, 'last', 'until')
  local last, suspendedUntil = tonumber(beat[1]), tonumber(beat[2]) or 0
  if not last or now - last > tonumber(A.pauseMs) then
    suspendedUntil = now + tonumber(A.suspensionMs)
    call('HSET', tag .. K.reclaim, 'last', integer(now), 'until', integer(suspendedUntil))
  else
    call('HSET', tag .. K.reclaim, 'last', integer(now))
  end
  if now < suspendedUntil then return { 0, 1, 0 } end
  local lease = tag .. K.lease
  local entries = call('ZRANGEBYSCORE', lease, '-inf', integer(now), 'LIMIT', 0, A.limit)
  local reply, lost = { 0, 0, #entries }, 0
  local leaseEnds = {}
  for index = 1, #entries do
    local member = entries[index]
    local id, head = string.match(member, '^(.*)|([^|]*)$')
    local ok, found = true, nil
    if id then
      ok, found = withSeparateWrites(reclaimEntry, tag, member, id, head, tonumber(A.crashLimit), leaseEnds)
    else
      unschedule(lease, member)
    end
    if ok and found == true then
      lost = lost + 1
    elseif not ok or found then
      for _, value in ipairs(ok and found or { 'damaged', head, id, '', '', '' }) do reply[#reply + 1] = value end
      schedule(lease, member, now + TAKEN_MS)
    end
  end
  reply[1] = lost
  return reply
end

-- Takes one timer away.
T['end-timer'] = function(tag, a)
  unschedule(tag .. K.due, A.letter .. '|' .. A.key .. '|' .. A.runId)
  return { 'ended' }
end
