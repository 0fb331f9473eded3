-- Progress inside a step: a checkpoint that the next attempt is given.
-- Args: runId, step key, fence, attemptId, state (JSON), checkpoint (ts|seq|checksum|previous)
-- Reply: {'saved'} | {'rejected', reason}
T['save-progress'] = function(tag, a)
  local id, key = ARGV[a], ARGV[a + 1]
  local run = openRun(tag, id, 's' .. key, 'k' .. key)
  if not run then return { 'rejected', 'gone' } end
  local found = stored(run, 's' .. key)
  local header = found and parts(found)
  if not holds(header, ARGV[a + 2], ARGV[a + 3]) then return { 'rejected', 'superseded' } end
  local saved = ARGV[a + 5] .. '\n' .. ARGV[a + 4]
  if stored(run, 'k' .. key) == saved then return { 'saved' } end
  put(run, 'k' .. key, saved)
  event(run, table.concat({ K.eventCheckpointSaved, integer(run.at), key, tonumber(header[2]) + 1, ARGV[a + 2],
    ARGV[a + 3] }, '|'))
  writeRun(run)
  return { 'saved' }
end

-- What an attempt finds: the progress of an earlier one. Args: runId, step key. Reply: {envelope and state, or ''}
T['load-progress'] = function(tag, a)
  return { call('HGET', tag .. K.run .. ARGV[a], 'k' .. ARGV[a + 1]) or '' }
end

-- A checkpoint that did not match its checksum: recorded once by whoever found it. Args: runId, step key, data (JSON)
T['report-corruption'] = function(tag, a)
  local run = openRun(tag, ARGV[a], 's' .. ARGV[a + 1])
  if not run then return { 'rejected', 'gone' } end
  -- Somebody who was slow: nothing follows a run's end.
  if isTerminal(run.status) then return { 'rejected', 'ended' } end
  event(run, K.eventCheckpointCorrupt .. '|' .. integer(run.at) .. '|' .. ARGV[a + 1] .. '|||||' .. ARGV[a + 2])
  writeRun(run)
  return { 'reported' }
end
