-- needs: call, gathered-writes
-- Creates a run, or finds the one that the same idempotency key or run id made before.
-- Args: runId, definitionHash, workflow, version, input, bodyHash, tags (JSON), end steps, has output (1|0),
--       timeoutMs or '', idempotency key hash or '', its TTL ms, definition text or '', tag count, tags…
-- Reply: {'created', createdAt} | {'exists', runId, status, letter} | {'conflict', runId} | {'need-definition'}
--
-- A key's record: runId|bodyHash of a run that was made beside it, in the key's partition. For a run of another partition
-- a letter follows: r, reserved, and nobody knows whether it was made; c, confirmed, it was made once. A record outlives
-- its run, and a run that was made is never made again for it.
T['create-run'] = function(tag, a)
  local id, definition, workflow, version = A.runId, A.definitionHash, A.workflow, A.version
  local bodyHash, keyHash, definitionText = A.bodyHash, A.keyHash, A.definitionText
  local idempotencyKey = tag .. K.idempotency .. keyHash
  if keyHash ~= '' then
    local record = call('GET', idempotencyKey)
    if record then
      local known, knownBody, letter = string.match(record, '^([^|]*)|([^|]*)|?([' .. RECORD.either .. ']?)$')
      if knownBody ~= bodyHash then return { 'conflict', known } end
      local meta = call('HGET', tag .. K.run .. known, FIELD.meta)
      -- No status: the run is of another partition, as the letter says, or it was made here and is gone.
      return { 'exists', known, meta and string.sub(meta, 1, 1) or '', letter }
    end
  end
  local key = tag .. K.run .. id
  local known = call('HMGET', key, FIELD.meta, FIELD.bodyHash)
  if known[1] then
    if known[2] ~= bodyHash then return { 'conflict', id } end
    -- Found by its id: from now on the key names it too.
    if keyHash ~= '' then call('SET', idempotencyKey, id .. '|' .. bodyHash, 'PX', A.keyTtlMs) end
    return { 'exists', id, string.sub(known[1], 1, 1) }
  end
  local definitionKey = tag .. K.definition .. definition
  if definitionText == '' then
    if call('HEXISTS', definitionKey, 'text') == 0 then return { 'need-definition' } end
  else
    call('HSETNX', definitionKey, 'text', definitionText)
  end
  call('RPUSH', tag .. K.history .. id, K.eventRunCreated .. '|0', K.eventStepReady .. '|0|ge')
  call('HINCRBY', definitionKey, 'runs', 1)
  local meta = string.format(RUN.pending .. '|%d|0|%s|%s|0', now, A.endSteps, A.hasOutput)
  local run = { 'HSET', key, FIELD.meta, meta, FIELD.definition, definition, FIELD.workflow, workflow, FIELD.input, A.input, FIELD.bodyHash, bodyHash }
  local function also(field, value) run[#run + 1] = field run[#run + 1] = value end
  if version ~= '' then also(FIELD.version, version) end
  if A.tagsJson ~= '[]' then also(FIELD.tags, A.tagsJson) end
  call(unpack(run))
  if keyHash ~= '' then call('SET', idempotencyKey, id .. '|' .. bodyHash, 'PX', A.keyTtlMs) end
  schedule(tag .. K.runs, id, now)
  schedule(tag .. K.active, id, now)
  schedule(tag .. K.byWorkflow .. workflow, id, now)
  for index = 1, tonumber(ARGV[a + #A]) do schedule(tag .. K.byTag .. ARGV[a + #A + index], id, now) end
  if A.timeoutMs ~= '' then schedule(tag .. K.due, DUE.runLimit .. '||' .. id, now + tonumber(A.timeoutMs)) end
  send(tag, OUTBOX.entryGroup .. '|' .. id .. '|' .. definition)
  return { 'created', integer(now) }
end

-- Reserves an idempotency key for a run that lives in another partition (both a key and a run id were given).
-- Args: key hash, runId, bodyHash, TTL ms. Reply: {'reserved'} | {'exists', runId, letter} | {'conflict', runId}
-- The letter: r when nobody knows whether the run was made; c or none when it was.
T['reserve-key'] = function(tag, a)
  local key = tag .. K.idempotency .. A.keyHash
  local record = call('GET', key)
  if record then
    local known, knownBody, letter = string.match(record, '^([^|]*)|([^|]*)|?([' .. RECORD.either .. ']?)$')
    if knownBody ~= A.bodyHash then return { 'conflict', known } end
    return { 'exists', known, letter }
  end
  call('SET', key, A.runId .. '|' .. A.bodyHash .. '|' .. RECORD.reserved, 'PX', A.keyTtlMs)
  return { 'reserved' }
end

-- Notes that the run which a key was reserved for is there. A record of another run, or none, is left alone: the key's
-- time was over in between.
-- Args: key hash, runId, bodyHash. Reply: {'confirmed'}
T['confirm-key'] = function(tag, a)
  local key = tag .. K.idempotency .. A.keyHash
  local made = A.runId .. '|' .. A.bodyHash
  if call('GET', key) == made .. '|' .. RECORD.reserved then call('SET', key, made .. '|' .. RECORD.confirmed, 'KEEPTTL') end
  return { 'confirmed' }
end

-- Looks for the run that a key's record says was made. Args: runId. Reply: {'found', status} | {'gone'}
T['find-run'] = function(tag, a)
  local meta = call('HGET', tag .. K.run .. A.runId, FIELD.meta)
  if not meta then return { 'gone' } end
  return { 'found', string.sub(meta, 1, 1) }
end
