-- Creates a run, or finds the one that the same idempotency key or run id made before.
-- Args: runId, definitionHash, workflow, version, input, bodyHash, tags (JSON), end steps, has output (1|0),
--       timeoutMs or '', idempotency key hash or '', its TTL ms, definition text or '', tag count, tags…
-- Reply: {'created', createdAt} | {'exists', runId, status} | {'conflict', runId} | {'need-definition'}
T['create-run'] = function(tag, a)
  local id, definition, workflow, version = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local bodyHash, keyHash, definitionText = ARGV[a + 5], ARGV[a + 10], ARGV[a + 12]
  local idempotencyKey = tag .. K.idempotency .. keyHash
  if keyHash ~= '' then
    local record = call('GET', idempotencyKey)
    if record then
      local known, knownBody, reserved = string.match(record, '^([^|]*)|([^|]*)|?(r?)$')
      if knownBody ~= bodyHash then return { 'conflict', known } end
      local meta = call('HGET', tag .. K.run .. known, 'm')
      local status = meta and string.sub(meta, 1, 1)
      -- A key reserved for a run of another partition, or whose run is gone, answers for the run id alone.
      if known ~= id or status then return { 'exists', known, status or '', reserved } end
    end
  end
  local key = tag .. K.run .. id
  local known = call('HMGET', key, 'm', 'b')
  if known[1] then
    if known[2] == bodyHash then return { 'exists', id, string.sub(known[1], 1, 1) } end
    return { 'conflict', id }
  end
  local definitionKey = tag .. K.definition .. definition
  if definitionText == '' then
    if call('HEXISTS', definitionKey, 'text') == 0 then return { 'need-definition' } end
  else
    call('HSETNX', definitionKey, 'text', definitionText)
  end
  call('RPUSH', tag .. K.history .. id, K.eventRunCreated .. '|0', K.eventStepReady .. '|0|ge')
  call('HINCRBY', definitionKey, 'runs', 1)
  local meta = string.format('n|%d|0|%s|%s|0', now, ARGV[a + 7], ARGV[a + 8])
  local run = { 'HSET', key, 'm', meta, 'd', definition, 'w', workflow, 'i', ARGV[a + 4], 'b', bodyHash }
  local function also(field, value) run[#run + 1] = field run[#run + 1] = value end
  if version ~= '' then also('v', version) end
  if ARGV[a + 6] ~= '[]' then also('t', ARGV[a + 6]) end
  call(unpack(run))
  if keyHash ~= '' then call('SET', idempotencyKey, id .. '|' .. bodyHash, 'PX', ARGV[a + 11]) end
  schedule(tag .. K.runs, id, now)
  schedule(tag .. K.active, id, now)
  schedule(tag .. K.byWorkflow .. workflow, id, now)
  for index = 1, tonumber(ARGV[a + 13]) do schedule(tag .. K.byTag .. ARGV[a + 13 + index], id, now) end
  if ARGV[a + 9] ~= '' then schedule(tag .. K.due, 'r||' .. id, now + tonumber(ARGV[a + 9])) end
  send(tag, 'E|' .. id .. '|' .. definition)
  return { 'created', integer(now) }
end

-- Reserves an idempotency key for a run that lives in another partition (both a key and a run id were given).
-- Args: key hash, runId, bodyHash, TTL ms. Reply: {'reserved'} | {'exists', runId} | {'conflict', runId}
T['reserve-key'] = function(tag, a)
  local key = tag .. K.idempotency .. ARGV[a]
  local record = call('GET', key)
  if record then
    local known, knownBody = string.match(record, '^([^|]*)|([^|]*)')
    if knownBody ~= ARGV[a + 2] then return { 'conflict', known } end
    return { 'exists', known }
  end
  call('SET', key, ARGV[a + 1] .. '|' .. ARGV[a + 2] .. '|r', 'PX', ARGV[a + 3])
  return { 'reserved' }
end
