-- Progress inside a step: checkpoints that the next attempt is given. The last three are kept, so that a damaged one has one
-- before it: `k<step>~<seq modulo 3>` is `ts|seq|checksum|previous|fence`, a line end, the state; `k<step>` names the newest,
-- `seq|checksum`: one that stands in its place is not it, however good its own checksum.
local KEPT = 3

-- Args: runId, step key, fence, attemptId, state (JSON), checkpoint (ts|seq|checksum|previous)
-- Reply: {'saved'} | {'rejected', gone|superseded|not-next}
T['save-progress'] = function(tag, a)
  local id, key, fence = ARGV[a], ARGV[a + 1], ARGV[a + 2]
  local run = openRun(tag, id, 's' .. key, 'k' .. key)
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if not holds(header, fence, ARGV[a + 3]) then return { 'rejected', 'superseded' } end
  local seq, checksum = match(ARGV[a + 5], '^[^|]*|(%d+)|([^|]*)|')
  local newest = seq .. '|' .. checksum
  if stored(run, 'k' .. key) == newest then return { 'saved' } end
  local before = stored(run, 'k' .. key) and tonumber(match(stored(run, 'k' .. key), '^(%d+)|')) or 0
  if tonumber(seq) ~= before + 1 then return { 'rejected', 'not-next' } end
  put(run, 'k' .. key .. '~' .. tonumber(seq) % KEPT, ARGV[a + 5] .. '|' .. fence .. '\n' .. ARGV[a + 4])
  put(run, 'k' .. key, newest)
  event(run, table.concat({ K.eventCheckpointSaved, integer(run.at), key, tonumber(header[2]) + 1, fence, ARGV[a + 3] }, '|'))
  writeRun(run)
  return { 'saved' }
end

-- What an attempt finds: the progress of earlier ones. Args: runId, step key.
-- Reply: {the newest's `seq|checksum` or '', checkpoint and state or '' three times}
T['load-progress'] = function(tag, a)
  local field = 'k' .. ARGV[a + 1]
  local found = call('HMGET', tag .. K.run .. ARGV[a], field, field .. '~0', field .. '~1', field .. '~2')
  local reply = {}
  for index = 1, KEPT + 1 do reply[index] = found[index] or '' end
  return reply
end

-- Takes progress that cannot be trusted out of use. The last one set aside is kept for whoever looks into it.
-- Args: runId, step key, fence, attemptId, the newest from now on (`seq|checksum`) or '', places to clear (of 0 1 2), data of
--       the event (JSON)
-- Reply: {'set-aside'} | {'rejected', gone|superseded}
T['set-aside-progress'] = function(tag, a)
  local id, key = ARGV[a], ARGV[a + 1]
  local run = openRun(tag, id, 's' .. key)
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if not holds(header, ARGV[a + 2], ARGV[a + 3]) then return { 'rejected', 'superseded' } end
  for place in string.gmatch(ARGV[a + 5], '%d') do
    local field = 'k' .. key .. '~' .. place
    if stored(run, field) then put(run, 'b' .. key, stored(run, field)) end
    remove(run, field)
  end
  if ARGV[a + 4] ~= '' then put(run, 'k' .. key, ARGV[a + 4]) else remove(run, 'k' .. key) end
  event(run, K.eventCheckpointCorrupt .. '|' .. integer(run.at) .. '|' .. key .. '|||||' .. ARGV[a + 6])
  writeRun(run)
  return { 'set-aside' }
end

-- A checkpoint that did not match its checksum: recorded once by whoever found it. Args: runId, step key, data (JSON)
T['report-corruption'] = function(tag, a)
  local run = openRun(tag, ARGV[a], 's' .. ARGV[a + 1])
  if not run then return { 'rejected', 'gone' } end
  -- Somebody who was slow: nothing follows a run's end.
  if not isActive(run.status) and run.status ~= 'e' then return { 'rejected', 'ended' } end
  event(run, K.eventCheckpointCorrupt .. '|' .. integer(run.at) .. '|' .. ARGV[a + 1] .. '|||||' .. ARGV[a + 2])
  writeRun(run)
  return { 'reported' }
end
