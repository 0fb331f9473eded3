-- needs: attempts, call, run, step-header
-- Progress inside a step: checkpoints that the next attempt is given. The last three are kept, so that a damaged one has one
-- before it: `k<step>~<seq modulo 3>` is `ts|seq|checksum|previous|fence`, a line end, the state; `k<step>` names the newest,
-- `seq|checksum`: one that stands in its place is not it, however good its own checksum.
local KEPT = 3

-- Args: state: JSON; checkpoint: `ts|seq|checksum|previous`
-- Reply: {'saved'} | {'rejected', gone|superseded|not-next}
T['save-progress'] = function(tag, a)
  local id, key, fence = A.runId, A.key, A.fence
  local run = openRun(tag, id, PREFIX.header .. key, PREFIX.progress .. key)
  if not run then return { 'rejected', 'gone' } end
  local header = headerOf(run, key)
  if not holds(header, fence, A.attemptId) then return { 'rejected', 'superseded' } end
  local seq, checksum = match(A.checkpoint, '^[^|]*|(%d+)|([^|]*)|')
  local newest = seq .. '|' .. checksum
  if stored(run, PREFIX.progress .. key) == newest then return { 'saved' } end
  local before = stored(run, PREFIX.progress .. key) and tonumber(match(stored(run, PREFIX.progress .. key), '^(%d+)|')) or 0
  if tonumber(seq) ~= before + 1 then return { 'rejected', 'not-next' } end
  put(run, PREFIX.progress .. key .. '~' .. tonumber(seq) % KEPT, A.checkpoint .. '|' .. fence .. '\n' .. A.state)
  put(run, PREFIX.progress .. key, newest)
  recordEvent(run, { K.eventCheckpointSaved, run.atText, key, tonumber(header[H.failures]) + 1, fence, A.attemptId })
  writeRun(run)
  return { 'saved' }
end

-- What an attempt finds: the progress of earlier ones.
-- Reply: {the newest's `seq|checksum` or '', checkpoint and state or '' three times}
T['load-progress'] = function(tag, a)
  local field = PREFIX.progress .. A.key
  local found = call('HMGET', tag .. K.run .. A.runId, field, field .. '~0', field .. '~1', field .. '~2')
  local reply = {}
  for index = 1, KEPT + 1 do reply[index] = found[index] or '' end
  return reply
end

-- Takes progress that cannot be trusted out of use. The last one set aside is kept for whoever looks into it.
-- Args: newest: from now on, `seq|checksum` or ''; places: to clear, of 0 1 2; data: of the event, JSON
-- Reply: {'set-aside'} | {'rejected', gone|superseded}
T['set-aside-progress'] = function(tag, a)
  local id, key = A.runId, A.key
  local run = openRun(tag, id, PREFIX.header .. key)
  if not run then return { 'rejected', 'gone' } end
  local header = headerOf(run, key)
  if not holds(header, A.fence, A.attemptId) then return { 'rejected', 'superseded' } end
  for place in string.gmatch(A.places, '%d') do
    local field = PREFIX.progress .. key .. '~' .. place
    if stored(run, field) then put(run, PREFIX.setAside .. key, stored(run, field)) end
    remove(run, field)
  end
  if A.newest ~= '' then put(run, PREFIX.progress .. key, A.newest) else remove(run, PREFIX.progress .. key) end
  event(run, K.eventCheckpointCorrupt .. '|' .. run.atText .. '|' .. key .. '|||||' .. A.data)
  writeRun(run)
  return { 'set-aside' }
end

-- A checkpoint that did not match its checksum: recorded once by whoever found it.
T['report-corruption'] = function(tag, a)
  local run = openRun(tag, A.runId, PREFIX.header .. A.key)
  if not run then return { 'rejected', 'gone' } end
  -- Somebody who was slow: nothing follows a run's end.
  if not isActive(run.status) and run.status ~= RUN.ending then return { 'rejected', 'ended' } end
  event(run, K.eventCheckpointCorrupt .. '|' .. run.atText .. '|' .. A.key .. '|||||' .. A.data)
  writeRun(run)
  return { 'reported' }
end
