-- needs: call, pending-writes
-- The relay's side of the outbox.

-- Args: stream entry ids; then timers. Acknowledges the entries and keeps
-- what has been handed to BullMQ in the due index, so that a lost hint is handed out again. A timer that is there stays.
T['dispatched'] = function(tag, a, count)
  local acknowledged = tonumber(A.entryCount)
  local add, index = { 'ZADD', tag .. K.due, 'NX' }, acknowledged + #A
  while index < count do
    local letter, key, id = E.letter, E.key, E.runId
    local wanted = true
    if letter ~= DUE.hint then
      -- The entry may be a repeated one: the time limits of a step that has begun or settled are not set again.
      -- A run that somebody has overwritten must not keep the others from being acknowledged.
      local header = redis.pcall('HGET', tag .. K.run .. id, PREFIX.header .. key)
      local states = letter == DUE.queuedLimit and STATES.queued or STATES.unsettled
      wanted = type(header) ~= 'table' and (not header or find(states, sub(header, 1, 1), 1, true))
    end
    if wanted then
      add[#add + 1] = integer(now + tonumber(E.inMs))
      add[#add + 1] = letter .. '|' .. key .. '|' .. id
    end
    if #add > 4000 then
      call(unpack(add))
      add = { 'ZADD', tag .. K.due, 'NX' }
    end
    index = index + #E
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

-- Tells the schedulers that a worker cannot compile a step's definition: they have the plan, and know whether it may wait.
T['refuse-definition'] = function(tag, a)
  send(tag, OUTBOX.refusedStep .. '|' .. A.runId .. '|' .. A.definitionHash .. '|' .. A.key)
  return { 'ok' }
end

-- Puts ready steps back into the outbox (a worker that has no slot for them, a hint that was lost).
-- Args: the steps
T['hand-back'] = function(tag, a, count)
  for index = 0, count - 1, #E do
    send(tag, OUTBOX.step .. '|' .. E.runId .. '|' .. E.definitionHash .. '|' .. E.key)
  end
  return { 'ok' }
end
