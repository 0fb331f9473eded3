-- The due index and the in-flight entries: what must happen at a time, on Redis' clock.

-- A due entry that a scheduler has taken is out of the others' sight for this long; then another takes it.
local TAKEN_MS = 5000

-- Takes due entries. What needs no plan is done here: backing-off and parked steps become ready again.
-- Args: most entries. Reply: {next due or '', taken member, its score, …}: members are `letter|step key|runId`.
T['take-due'] = function(tag, a)
  local due = tag .. K.due
  local entries = call('ZRANGEBYSCORE', due, '-inf', integer(now), 'WITHSCORES', 'LIMIT', 0, ARGV[a])
  local reply = { '' }
  for index = 1, #entries, 2 do
    local member = entries[index]
    local letter, key, id = string.match(member, '^(.)|([^|]*)|(.*)$')
    if letter == 'b' then
      unschedule(due, member)
      local run = openRun(tag, id, 's' .. key)
      local found = run and stored(run, 's' .. key)
      local header = found and parts(found)
      if header and header[1] == 'B' and isActive(run.status) then
        put(run, 's' .. key, table.concat({ 'Y', header[2], header[3], header[4], '', '', header[7], header[8] }, '|'))
        writeRun(run)
        send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. key)
      end
    elseif letter == 'p' then
      local run = openRun(tag, id, 's' .. key)
      unschedule(due, member)
      local found = run and stored(run, 's' .. key)
      if found and string.sub(found, 1, 1) == 'P' and isActive(run.status) then
        send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. key)
      end
    else
      schedule(due, member, now + TAKEN_MS)
      reply[#reply + 1] = member
      reply[#reply + 1] = entries[index + 1]
    end
  end
  local following = call('ZRANGEBYSCORE', due, '(' .. integer(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  reply[1] = following[2] or ''
  return reply
end

-- A dispatched step whose claim has not come. Args: runId, step key, again in ms, hand out again (1|0).
-- Reply: {'waiting'} still unclaimed; {'done'} claimed, settled or gone.
T['recheck'] = function(tag, a)
  local id, key = ARGV[a], ARGV[a + 1]
  local member = 'q|' .. key .. '|' .. id
  local run = openRun(tag, id, 's' .. key)
  local found = run and stored(run, 's' .. key)
  local state = found and string.sub(found, 1, 1) or '-'
  if not run or not isActive(run.status) or not string.find('-Y', state, 1, true) then
    unschedule(tag .. K.due, member)
    return { 'done' }
  end
  schedule(tag .. K.due, member, now + tonumber(ARGV[a + 2]))
  if ARGV[a + 3] == '1' then send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. key) end
  return { 'waiting' }
end

-- A step that has waited for its worker's lease to run out is looked after sooner than others: the scheduler or worker
-- that its new hint goes to may die as well.
local LOST_RECHECK_MS = 1000

-- Ends attempts whose worker's lease has run out. Entries of living workers are moved to their lease's end.
-- Suspended for a moment when nothing looked here for a while (Redis paused, all schedulers down): living workers must
-- be able to renew first.
-- Args: most entries, pause that suspends ms, suspension ms, crash limit. Reply: {lost count, suspended (1|0), then
-- 'overdue'|'crashes', step key, runId, fence, attemptId, definitionHash, …} for what needs a plan.
T['reclaim'] = function(tag, a)
  local beat = call('HMGET', tag .. K.reclaim, 'last', 'until')
  local last, suspendedUntil = tonumber(beat[1]), tonumber(beat[2]) or 0
  if not last or now - last > tonumber(ARGV[a + 1]) then
    suspendedUntil = now + tonumber(ARGV[a + 2])
    call('HSET', tag .. K.reclaim, 'last', integer(now), 'until', integer(suspendedUntil))
  else
    call('HSET', tag .. K.reclaim, 'last', integer(now))
  end
  if now < suspendedUntil then return { 0, 1 } end
  local lease = tag .. K.lease
  local entries = call('ZRANGEBYSCORE', lease, '-inf', integer(now), 'LIMIT', 0, ARGV[a])
  local reply, lost = { 0, 0 }, 0
  local leaseEnds = {}
  for index = 1, #entries do
    local member = entries[index]
    local id, head = string.match(member, '^(.*)|([^|]*)$')
    local key = call('HGET', tag .. K.run .. id, 'c' .. head) or head
    local run = openRun(tag, id, 's' .. key)
    local found = run and stored(run, 's' .. key)
    local header = found and parts(found)
    if not header or header[1] ~= 'R' or header[9] ~= head then
      unschedule(lease, member)
    else
      local worker = header[6]
      if leaseEnds[worker] == nil then leaseEnds[worker] = tonumber(call('ZSCORE', tag .. K.workers, worker)) or 0 end
      local function forPlan(what)
        for _, value in ipairs({ what, key, id, header[4], header[5], definitionOf(run) }) do reply[#reply + 1] = value end
        schedule(lease, member, now + TAKEN_MS)
      end
      if leaseEnds[worker] > now then
        if run.at > tonumber(header[10]) + TAKEN_MS then
          forPlan('overdue')
        else
          schedule(lease, member, leaseEnds[worker] + 1)
        end
      elseif tonumber(header[3]) + 1 > tonumber(ARGV[a + 3]) then
        forPlan('crashes')
      else
        lost = lost + 1
        local again = isActive(run.status)
        run.live = run.live - 1
        put(run, 's' .. key, table.concat({ again and 'Y' or 'X', header[2], tonumber(header[3]) + 1, header[4], '', '',
          header[7], header[8], integer(run.at), again and '' or 'run-ending' }, '|'))
        event(run, table.concat({ K.eventAttemptLost, integer(run.at), key, tonumber(header[2]) + 1, header[4], header[5],
          worker }, '|'))
        if again then
          send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. key)
          schedule(tag .. K.due, 'q|' .. key .. '|' .. id, now + LOST_RECHECK_MS)
        end
        finishWhenDone(run)
        endLease(run, header, key)
        writeRun(run)
      end
    end
  end
  reply[1] = lost
  return reply
end

-- Takes one timer away. Args: letter, step key, runId.
T['end-timer'] = function(tag, a)
  unschedule(tag .. K.due, ARGV[a] .. '|' .. ARGV[a + 1] .. '|' .. ARGV[a + 2])
  return { 'ended' }
end
