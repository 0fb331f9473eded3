-- Gives a worker the right to one attempt, or the reason to leave the step.
-- Args: runId, step key, attemptId, worker, group, join (y: any), the group's start value, attemptMs, wants input (1|0),
--       parent key of a map item or '', timers to end ('w' when the step has queuedMs), count, step keys to read…
-- Reply: {'claimed|fence|now|createdAt|failures|crashes|first', input, item, header, output, …}; what nobody asked for is
--        left out
--      | {'refused', gone|cancelled|paused|leased|settled|not-due}
T['claim'] = function(tag, a)
  local id, key, attemptId, worker = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local parent, count = ARGV[a + 9], tonumber(ARGV[a + 11])
  local fields = runFields(tag, id, 's' .. key, 'g' .. ARGV[a + 4], ARGV[a + 8] == '1' and 'i' or 'm')
  fields[7] = parent == '' and 'm' or 's' .. parent
  fields[8] = parent == '' and 'm' or 'i' .. key
  for index = 1, count do
    fields[#fields + 1] = 's' .. ARGV[a + 11 + index]
    fields[#fields + 1] = 'o' .. ARGV[a + 11 + index]
  end
  local run = openRun(tag, id, fields)
  local hint = 'q|' .. key .. '|' .. id
  if not run then
    unschedule(tag .. K.due, hint)
    return { 'refused', 'gone' }
  end
  local header = run[2] and parts(run[2])
  local again = header and header[1] == 'R' and header[5] == attemptId
  if not again then
    if run.status == 'e' or isTerminal(run.status) then
      unschedule(tag .. K.due, hint)
      return { 'refused', 'cancelled' }
    end
    if header and header[1] == 'R' then return { 'refused', 'leased' } end
    if header and header[1] ~= 'Y' and header[1] ~= 'P' then
      unschedule(tag .. K.due, hint)
      return { 'refused', header[1] == 'B' and 'not-due' or 'settled' }
    end
    if parent ~= '' then
      local map = run[5] and parts(run[5])
      if not map or map[1] ~= 'M' then
        unschedule(tag .. K.due, hint)
        return { 'refused', 'settled' }
      end
      if tonumber(string.match(key, '%.(%d+)$')) >= tonumber(map[3]) then return { 'refused', 'not-due' } end
    elseif not header and ARGV[a + 6] ~= '0' then
      local counter = tonumber(run[3])
      local ready = counter and (counter % UNIT == 0
        or (ARGV[a + 5] == 'y' and math.floor(counter / UNIT) % UNIT > 0))
      if not ready then return { 'refused', 'not-due' } end
    end
    if run.status == 'p' then
      call('SADD', tag .. K.paused .. id, key)
      unschedule(tag .. K.due, hint)
      return { 'refused', 'paused' }
    end
  end
  local fence, failures, crashes, first
  if again then
    fence, failures, crashes, first = header[4], header[2], header[3], header[7]
  else
    fence, failures, crashes, first = startAttempt(run, key, attemptId, worker, header, ARGV[a + 7], key)
    run.live = run.live + 1
    if run.status == 'n' then run.status = 'r' end
    writeRun(run)
    schedule(tag .. K.lease, id .. '|' .. key, now + LEASE_MS)
    unschedule(tag .. K.due, hint)
    if ARGV[a + 10] == 'w' then unschedule(tag .. K.due, 'w|' .. key .. '|' .. id) end
  end
  local reply = { string.format('claimed|%d|%d|%d|%s|%s|%d', fence, now, run.created, failures, crashes, first) }
  if ARGV[a + 8] == '1' or parent ~= '' or count > 0 then
    reply[2] = ARGV[a + 8] == '1' and run[4] or ''
    reply[3] = parent ~= '' and run[6] or ''
    for index = 7, #fields - 2 do reply[#reply + 1] = run[index] or '' end
  end
  return reply
end
