-- needs: call, indexes, pending-writes
-- Runs are created, and found again by the idempotency key or the run id that made them.
--
-- A key's record: runId|bodyHash of a run that was made beside it, in the key's partition. For a run of another partition
-- a letter follows: r, reserved, and nobody knows whether it was made; c, confirmed, it was made once. A record outlives
-- its run, and a run that was made is never made again for it.
local KEY_RECORD = '^([^|]*)|([^|]*)|?([' .. RECORD.either .. ']?)$'

-- The answer when the key has a record.
local function findByKey(tag, key, bodyHash)
  local record = call('GET', key)
  if not record then return nil end
  local known, knownBody, letter = match(record, KEY_RECORD)
  if knownBody ~= bodyHash then return { 'conflict', known } end
  local meta = call('HGET', tag .. K.run .. known, FIELD.meta)
  -- No status: the run is of another partition, as the letter says, or it was made here and is gone.
  return { 'exists', known, meta and sub(meta, 1, 1) or '', letter }
end

-- The answer when the run is there.
local function findById(tag, id, bodyHash)
  local known = call('HMGET', tag .. K.run .. id, FIELD.meta, FIELD.bodyHash)
  if not known[1] then return nil end
  if known[2] ~= bodyHash then return { 'conflict', id } end
  return { 'exists', id, sub(known[1], 1, 1) }
end

-- False when nobody has given the definition's text yet.
local function pinDefinition(key, text)
  if text == '' then
    if call('HEXISTS', key, 'text') == 0 then return false end
  else
    call('HSETNX', key, 'text', text)
  end
  return true
end

-- `fields` and values in turn; those without a value are left out.
local function setFields(key, fields)
  local command = { 'HSET', key }
  for index = 1, #fields, 2 do
    if fields[index + 1] ~= '' then
      command[#command + 1] = fields[index]
      command[#command + 1] = fields[index + 1]
    end
  end
  call(unpack(command))
end

-- Creates a run, or finds the one that the same idempotency key or run id made before.
-- Args: input, tagsJson: JSON; endSteps: how many; hasOutput: it is an expression (1|0); timeoutMs, keyHash, definitionText: or
--       ''; parent: the step that waits for it (run|step key) or ''; traceparent: or ''; then the tags' count, and the tags
-- Reply: {'created', createdAt} | {'exists', runId, status, letter} | {'conflict', runId} | {'need-definition'}
T['create-run'] = function(tag, a)
  local id, definition, workflow, bodyHash = A.runId, A.definitionHash, A.workflow, A.bodyHash
  local idempotencyKey = A.keyHash ~= '' and tag .. K.idempotency .. A.keyHash
  local byKey = idempotencyKey and findByKey(tag, idempotencyKey, bodyHash)
  if byKey then return byKey end
  local byId = findById(tag, id, bodyHash)
  -- Found by its id: from now on the key names it too.
  if byId and byId[1] == 'exists' and idempotencyKey then call('SET', idempotencyKey, id .. '|' .. bodyHash, 'PX', A.keyTtlMs) end
  if byId then return byId end
  local definitionKey = tag .. K.definition .. definition
  if not pinDefinition(definitionKey, A.definitionText) then return { 'need-definition' } end
  call('RPUSH', tag .. K.history .. id, K.eventRunCreated .. '|0', K.eventStepReady .. '|0|ge')
  call('HINCRBY', definitionKey, 'runs', 1)
  local meta = format(RUN.pending .. '|%d|0|%s|%s|0', now, A.endSteps, A.hasOutput)
  setFields(tag .. K.run .. id, { FIELD.meta, meta, FIELD.definition, definition, FIELD.workflow, workflow, FIELD.input, A.input,
    FIELD.bodyHash, bodyHash, FIELD.version, A.version, FIELD.tags, A.tagsJson == '[]' and '' or A.tagsJson,
    WAIT_FIELD.parent, A.parent, FIELD.traceparent, A.traceparent })
  if idempotencyKey then call('SET', idempotencyKey, id .. '|' .. bodyHash, 'PX', A.keyTtlMs) end
  schedule(tag .. K.runs, id, now)
  schedule(tag .. K.byWorkflow .. workflow, id, now)
  local labels = { workflow = workflow, tags = {} }
  for index = 1, tonumber(ARGV[a + #A]) do
    labels.tags[index] = ARGV[a + #A + index]
    schedule(tag .. K.byTag .. labels.tags[index], id, now)
  end
  indexNewRun(tag, id, labels, A.runNumber)
  if A.timeoutMs ~= '' then schedule(tag .. K.due, DUE.runLimit .. '||' .. id, now + tonumber(A.timeoutMs)) end
  send(tag, OUTBOX.entryGroup .. '|' .. id .. '|' .. definition)
  return { 'created', integer(now) }
end

-- Reserves an idempotency key for a run that lives in another partition (both a key and a run id were given).
-- Reply: {'reserved'} | {'exists', runId, letter} | {'conflict', runId}
-- The letter: r when nobody knows whether the run was made; c or none when it was.
T['reserve-key'] = function(tag, a)
  local key = tag .. K.idempotency .. A.keyHash
  local record = call('GET', key)
  if record then
    local known, knownBody, letter = match(record, KEY_RECORD)
    if knownBody ~= A.bodyHash then return { 'conflict', known } end
    return { 'exists', known, letter }
  end
  call('SET', key, A.runId .. '|' .. A.bodyHash .. '|' .. RECORD.reserved, 'PX', A.keyTtlMs)
  return { 'reserved' }
end

-- Notes that the run which a key was reserved for is there. A record that is gone is put back: its time was over in between, or
-- the server lost its last second of writes between the reservation and the run.
-- Reply: {'confirmed'} | {'taken'|'conflict', the run that the key names by now}
T['confirm-key'] = function(tag, a)
  local key = tag .. K.idempotency .. A.keyHash
  local made = A.runId .. '|' .. A.bodyHash
  local record = call('GET', key)
  if not record then
    call('SET', key, made .. '|' .. RECORD.confirmed, 'PX', A.keyTtlMs)
  elseif record == made .. '|' .. RECORD.reserved then
    call('SET', key, made .. '|' .. RECORD.confirmed, 'KEEPTTL')
  else
    local known, knownBody = match(record, KEY_RECORD)
    if known ~= A.runId then return { knownBody == A.bodyHash and 'taken' or 'conflict', known } end
  end
  return { 'confirmed' }
end

-- Looks for the run that a key's record says was made. Reply: {'found', status} | {'gone'}
T['find-run'] = function(tag, a)
  local meta = call('HGET', tag .. K.run .. A.runId, FIELD.meta)
  if not meta then return { 'gone' } end
  return { 'found', string.sub(meta, 1, 1) }
end
