-- Who a step was lost with, the last at the end: worker ids joined by ',', with '!' behind one whose process lived on, so
-- that the step has ended the process that it had to itself. The last twenty.
local function addLoss(run, key, worker, alone)
  local names = {}
  for name in string.gmatch(stored(run, 'q' .. key) or '', '[^,]+') do names[#names + 1] = name end
  names[#names + 1] = worker .. (alone and '!' or '')
  put(run, 'q' .. key, table.concat(names, ',', math.max(1, #names - 19)))
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
  local id, key, fence, attemptId = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local delay, parent, edges = ARGV[a + 6], ARGV[a + 10], ARGV[a + 13]
  local run = newRun(tag, id)
  want(run, 's' .. key)
  if parent ~= '' then want(run, 's' .. parent) end
  wantEdges(run, edgesOf(edges))
  if not readRun(run) then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  -- Without a fence the scheduler ends the step, wherever it stands: a time limit of the whole step has passed.
  local forced = fence == ''
  local running = header and header[1] == 'R'
  if forced then
    if not isActive(run.status) and run.status ~= 'e' then return { 'rejected', 'ended' } end
    if not isOfOpening(run, ARGV[a + 16]) then return { 'rejected', 'reopened' } end
    if not string.find(attemptId, header and header[1] or '-', 1, true) then return { 'rejected', 'settled' } end
    header = header or { '-', '0', '0', '', '', '', integer(run.at), integer(run.at) }
    fence, attemptId = header[4], header[5]
  elseif header and header[4] == fence and header[5] == attemptId then
    if header[1] == 'B' then return { 'retry', integer(run.created + tonumber(header[10])) } end
    if header[1] == 'F' or header[1] == 'Q' then return { 'failed' } end
    if header[1] == 'X' then return { 'cancelled' } end
  end
  if not forced and not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end

  local failures, crashes = tonumber(header[2]), tonumber(header[3])
  if running then
    if ARGV[a + 4] == K.eventAttemptLost then
      crashes = crashes + 1
      addLoss(run, key, header[6], ARGV[a + 15] == '1')
    else
      failures = failures + 1
    end
    run.live = run.live - 1
    event(run, table.concat({ ARGV[a + 4], integer(run.at), key, tonumber(header[2]) + 1, fence, attemptId, '', ARGV[a + 5] }, '|'))
    if forced then announce(K.channelAborts, id .. '|' .. key .. '|' .. attemptId) end
  end
  local tail = { crashes, fence, attemptId, header[6], header[7], header[8], integer(run.at) }
  local function headerOf(state, extra)
    return state .. '|' .. failures .. '|' .. table.concat(tail, '|') .. (extra and '|' .. extra or '')
  end
  put(run, 'o' .. key, ARGV[a + 5])
  local reply
  if not isActive(run.status) then
    -- The run is ending: no retry, and the failure is not what ends it.
    put(run, 's' .. key, headerOf('X', 'run-ending'))
    reply = { 'cancelled' }
  elseif delay ~= '' then
    local at = run.at + tonumber(delay)
    put(run, 's' .. key, headerOf('B', integer(at)))
    event(run, K.eventRetryScheduled .. '|' .. integer(run.at) .. '|' .. key .. '|' .. (failures + 1) .. '||||{"delayMs":' .. delay .. '}')
    schedule(tag .. K.due, 'b|' .. key .. '|' .. id, now + tonumber(delay))
    reply = { 'retry', integer(run.created + at) }
  else
    reply = { 'failed' }
    put(run, 's' .. key, headerOf(ARGV[a + 12]))
    event(run, (ARGV[a + 12] == 'Q' and K.eventStepQuarantined or K.eventStepFailed)
      .. '|' .. integer(run.at) .. '|' .. key .. '|||||' .. ARGV[a + 5])
    if ARGV[a + 9] == '1' then unschedule(tag .. K.due, 't|' .. key .. '|' .. id) end
    if not running then
      for timer in string.gmatch('wbpq', '.') do unschedule(tag .. K.due, timer .. '|' .. key .. '|' .. id) end
      unindexParked(run, key, header)
    end
    local settles = parent == '' and edges
    if parent ~= '' then
      local map = stored(run, 's' .. parent) and parts(stored(run, 's' .. parent))
      if map and map[1] == 'M' then
        local outcome, nextItem = countItem(run, parent, map, false)
        if outcome == 'next' then send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. parent .. '.' .. nextItem) end
        if outcome == 'failed' then
          put(run, 'o' .. parent, ARGV[a + 11])
          event(run, K.eventStepFailed .. '|' .. integer(run.at) .. '|' .. parent .. '|||||' .. ARGV[a + 11])
          keepDeadLetter(run, parent)
          failRun(run, ARGV[a + 7], ARGV[a + 11])
          announce(K.channelAborts, id .. '|' .. parent .. '.|')
          settles = edges
        elseif outcome == 'succeeded' then
          settles = ARGV[a + 14]
        end
      end
    else
      keepDeadLetter(run, key)
      failRun(run, ARGV[a + 7], ARGV[a + 11])
    end
    if settles then
      local fired = settleStep(run, edgesOf(settles), ARGV[a + 8] == '1')
      if run.status ~= 'e' then sendFired(run, fired) end
    end
  end
  finishWhenDone(run)
  if running then endLease(run, header, key) end
  writeRun(run)
  return reply
end
