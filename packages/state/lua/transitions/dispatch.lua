-- The relay's side of the outbox.

-- Args: stream entry ids, count; then count × (timer letter, step key, runId, in ms). Acknowledges the entries and keeps
-- what has been handed to BullMQ in the due index, so that a lost hint is handed out again. A timer that is there stays.
T['dispatched'] = function(tag, a, count)
  local acknowledged = tonumber(ARGV[a])
  local add, index = { 'ZADD', tag .. K.due, 'NX' }, acknowledged + 1
  while index < count do
    local letter, key, id = ARGV[a + index], ARGV[a + index + 1], ARGV[a + index + 2]
    local wanted = true
    if letter ~= 'q' then
      -- The entry may be a repeated one: the time limits of a step that has begun or settled are not set again.
      -- A run that somebody has overwritten must not keep the others from being acknowledged.
      local header = redis.pcall('HGET', tag .. K.run .. id, 's' .. key)
      wanted = type(header) ~= 'table'
        and (not header or string.find(letter == 'w' and 'YP' or 'YPBR', string.sub(header, 1, 1), 1, true))
    end
    if wanted then
      add[#add + 1] = integer(now + tonumber(ARGV[a + index + 3]))
      add[#add + 1] = letter .. '|' .. key .. '|' .. id
    end
    if #add > 4000 then
      call(unpack(add))
      add = { 'ZADD', tag .. K.due, 'NX' }
    end
    index = index + 4
  end
  if #add > 3 then call(unpack(add)) end
  -- Last: an entry of which something could not be kept comes again.
  if acknowledged > 0 then
    local ids = {}
    for entry = 1, acknowledged do ids[entry] = ARGV[a + entry] end
    call('XACK', tag .. K.outbox, K.relayGroup, unpack(ids))
    call('XDEL', tag .. K.outbox, unpack(ids))
  end
  return { 'ok' }
end

-- Puts ready steps back into the outbox (a worker that has no slot for them, a hint that was lost).
-- Args: count × (runId, definitionHash, step key)
T['hand-back'] = function(tag, a, count)
  for index = 0, count - 1, 3 do
    send(tag, 'S|' .. ARGV[a + index] .. '|' .. ARGV[a + index + 1] .. '|' .. ARGV[a + index + 2])
  end
  return { 'ok' }
end
