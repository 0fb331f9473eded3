-- Commits an attempt's result as the step's checkpoint and, where exactly one successor became ready that the caller
-- named, claims that for it in the same breath.
-- Args: runId, step key, fence, attemptId, worker, output, checkpoint (ts|seq|checksum|previous), total timer (1|0),
--       end step (1|0), may continue (1|0), wants input (1|0), parent key or '', next item's attemptId, its attemptMs,
--       failFast (1|0), edges (count, 7 each), count, step keys to read…
-- Reply: {'committed'} or {'continued|key|fence|now|failures|crashes|first', input, item, header, output, …}; what nobody
--        asked for is left out
--      | {'rejected', reason}
T['commit'] = function(tag, a)
  local id, key, fence, attemptId, worker = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local parent = ARGV[a + 11]
  local edges = a + 15
  local fields = runFields(tag, id, 's' .. key, parent == '' and 'm' or 's' .. parent, ARGV[a + 10] == '1' and 'i' or 'm')
  local edgeCount = edgeFields(edges, fields)
  local sources = edges + 1 + edgeCount * EDGE_SIZE
  -- Values stand two places before their fields: the command and the key are none.
  local firstSource = #fields - 1
  for index = 1, tonumber(ARGV[sources]) do
    fields[#fields + 1] = 's' .. ARGV[sources + index]
    fields[#fields + 1] = 'o' .. ARGV[sources + index]
  end
  -- Headers of the candidates to continue with: a repeated commit finds there what it claimed the first time.
  local firstCandidate = #fields - 1
  for index = 0, edgeCount - 1 do
    local candidate = ARGV[edges + 1 + index * EDGE_SIZE + 4]
    fields[#fields + 1] = candidate == '' and 'm' or 's' .. candidate
  end
  local run = openRun(tag, id, fields)
  if not run then return { 'rejected', 'gone' } end

  local function continued(nextKey, nextFence, failures, crashes, first, item)
    local reply = { string.format('continued|%s|%d|%d|%s|%s|%d', nextKey, nextFence, now, failures, crashes, first) }
    if ARGV[a + 10] == '1' or item or firstCandidate > firstSource then
      reply[2] = ARGV[a + 10] == '1' and run[4] or ''
      reply[3] = item or ''
      for index = firstSource, firstCandidate - 1 do reply[#reply + 1] = run[index] or '' end
    end
    return reply
  end

  local header = run[2] and parts(run[2])
  if header and header[1] == 'S' and header[4] == fence and header[5] == attemptId then
    for index = 0, edgeCount - 1 do
      local at = edges + 1 + index * EDGE_SIZE
      local candidate = ARGV[at + 4] ~= '' and run[firstCandidate + index] and parts(run[firstCandidate + index])
      if candidate and candidate[1] == 'R' and candidate[5] == ARGV[at + 5] then
        return continued(ARGV[at + 4], candidate[4], candidate[2], candidate[3], candidate[7])
      end
    end
    -- Which item of the map was claimed only its header tells. It is among the last that were handed out: the repeated
    -- call is seconds old at most, and no more items than run at once can have been claimed since.
    local parentHeader = parent ~= '' and ARGV[a + 12] ~= '' and run[3] and parts(run[3])
    local handedOut = parentHeader and (parentHeader[1] == 'M' and parentHeader[3] or parentHeader[1] == 'F' and parentHeader[11])
    local last = handedOut and tonumber(handedOut) - 1 or -1
    for item = last, math.max(0, last - 1000), -1 do
      local itemKey = parent .. '.' .. item
      local values = call('HMGET', run.key, 's' .. itemKey, 'i' .. itemKey)
      local candidate = values[1] and parts(values[1])
      if candidate and candidate[1] == 'R' and candidate[5] == ARGV[a + 12] then
        return continued(itemKey, candidate[4], candidate[2], candidate[3], candidate[7], values[2])
      end
    end
    return { 'committed' }
  end
  if header and header[1] == 'X' and header[10] == 'map-settled' and header[4] == fence and header[5] == attemptId then
    return { 'rejected', 'map-settled' }
  end
  if not holds(header, fence, attemptId) then return rejectAttempt(run, key, header, fence, attemptId, 'superseded') end
  local map = parent ~= '' and run[3] and parts(run[3])
  if parent ~= '' and (not map or map[1] ~= 'M') then
    -- The map has settled without this item: its attempt ends, its result is not used.
    run.live = run.live - 1
    put(run, 's' .. key, table.concat({ 'X', header[2], header[3], header[4], header[5], header[6], header[7], header[8],
      integer(run.at), 'map-settled' }, '|'))
    event(run, table.concat({ K.eventAttemptCancelled, integer(run.at), key, tonumber(header[2]) + 1, fence, attemptId }, '|'))
    finishWhenDone(run)
    writeRun(run)
    endLease(run, header, key)
    return { 'rejected', 'map-settled' }
  end

  put(run, 's' .. key, string.format('S|%s|%s|%s|%s|%s|%s|%s|%d|%s', header[2], header[3], fence, attemptId, header[6], header[7],
    header[8], run.at, ARGV[a + 6]))
  put(run, 'o' .. key, ARGV[a + 5])
  event(run, string.format('%s|%d|%s|%d|%s|%s', K.eventAttemptSucceeded, run.at, key, header[2] + 1, fence, attemptId))
  event(run, string.format('%s|%d|%s', K.eventStepSucceeded, run.at, key))
  if ARGV[a + 7] == '1' then unschedule(tag .. K.due, 't|' .. key .. '|' .. id) end

  local mayContinue = ARGV[a + 9] == '1' and (run.status == 'r' or run.status == 'n')
  local nextKey, nextAttemptId, nextAttemptMs, item
  local fired = {}
  if parent == '' then
    fired = settleStep(run, edges, 5, ARGV[a + 8])
  else
    local outcome, nextItem = countItem(run, parent, map, true)
    if outcome == 'succeeded' then
      fired = settleStep(run, edges, 5, ARGV[a + 8])
    elseif outcome == 'next' then
      local itemKey = parent .. '.' .. nextItem
      if mayContinue and ARGV[a + 12] ~= '' then
        nextKey, nextAttemptId, nextAttemptMs = itemKey, ARGV[a + 12], ARGV[a + 13]
        item = call('HGET', run.key, 'i' .. itemKey)
      else
        send(tag, 'S|' .. id .. '|' .. definitionOf(run) .. '|' .. itemKey)
      end
    end
  end
  if run.status ~= 'e' then
    -- Whether members of a group with a failed need run is the engine's decision: those go to the relay.
    if #fired == 1 and mayContinue and not nextKey and fired[1].key ~= '' and fired[1].clean then
      nextKey, nextAttemptId, nextAttemptMs = fired[1].key, fired[1].attemptId, fired[1].attemptMs
      announceReady(run, fired[1].group)
    else
      for index = 1, #fired do sendGroup(run, fired[index].group, fired[index].counter) end
    end
  end

  if nextKey then
    local head = header[9]
    local nextFence, failures, crashes, first = startAttempt(run, nextKey, nextAttemptId, worker, nil, nextAttemptMs, head)
    put(run, 'c' .. head, nextKey)
    writeRun(run)
    return continued(nextKey, nextFence, failures, crashes, first, item)
  end
  run.live = run.live - 1
  finishWhenDone(run)
  writeRun(run)
  endLease(run, header, key)
  return { 'committed' }
end
