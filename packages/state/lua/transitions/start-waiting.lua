-- Steps that wait without a worker: delays, maps, parked steps.

-- What may begin to wait: the header's parts or nil, or the refusal.
local function openWaiting(tag, a, opening)
  local run = openRun(tag, ARGV[a], 's' .. ARGV[a + 1], 'a')
  if not run then return nil, nil, { 'refused', 'gone' } end
  if not mayGoOn(run, ARGV[a + 1]) then return nil, nil, { 'refused', 'cancelled' } end
  if not isOfOpening(run, opening) then return nil, nil, { 'refused', 'reopened' } end
  local found = stored(run, 's' .. ARGV[a + 1])
  return run, found and parts(found), nil
end

-- Args: runId, step key, forMs, opening. Reply: {'started'} | {'refused', reason}
T['start-delay'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, ARGV[a + 3])
  if not run then return refusal end
  if header then return header[1] == 'D' and { 'started' } or { 'refused', header[1] } end
  local due = run.at + tonumber(ARGV[a + 2])
  put(run, 's' .. ARGV[a + 1], table.concat({ 'D', 0, 0, 0, '', '', integer(run.at), integer(run.at), '', integer(due) }, '|'))
  if run.status == 'n' then run.status = 'r' end
  writeRun(run)
  schedule(tag .. K.due, 'd|' .. ARGV[a + 1] .. '|' .. run.id, run.created + due)
  return { 'started' }
end

-- Keeps items of a map before it starts; repeated or abandoned without harm.
-- Args: runId, step key, opening, first, items (JSON)…
T['stage-items'] = function(tag, a, count)
  local run, header, refusal = openWaiting(tag, a, ARGV[a + 2])
  if not run then return refusal end
  if header then return { 'refused', header[1] } end
  for index = 4, count - 1 do
    put(run, 'i' .. ARGV[a + 1] .. '.' .. (tonumber(ARGV[a + 3]) + index - 4), ARGV[a + index])
  end
  writeRun(run)
  return { 'staged' }
end

-- Args: runId, step key, items, concurrency, tolerated failures, most steps (budget) or '', steps of the definition,
-- opening. Reply: {'started'} | {'refused', reason|budget}
T['start-map'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, ARGV[a + 7])
  if not run then return refusal end
  local key, items = ARGV[a + 1], tonumber(ARGV[a + 2])
  if header then return header[1] == 'M' and { 'started' } or { 'refused', header[1] } end
  if ARGV[a + 5] ~= '' then
    local made = tonumber(call('HGET', run.key, 'n') or 0) + items
    if made + tonumber(ARGV[a + 6]) > tonumber(ARGV[a + 5]) then return { 'refused', 'budget' } end
    put(run, 'n', integer(made))
  end
  local first = math.min(items, tonumber(ARGV[a + 3]))
  put(run, 's' .. key, table.concat({ 'M', items, first, 0, 0, ARGV[a + 3], ARGV[a + 4], integer(run.at) }, '|'))
  if run.status == 'n' then run.status = 'r' end
  writeRun(run)
  for item = 0, first - 1 do send(tag, 'S|' .. run.id .. '|' .. definitionOf(run) .. '|' .. key .. '.' .. item) end
  return { 'started' }
end

-- Whether a step that has no header yet may begin: hints of an earlier opening of the run outlive it, and whoever has a header
-- can be claimed.
local function mayBegin(run, key, group)
  local parent = parentOf(key)
  if parent then
    local map = stored(run, 's' .. parent) and parts(stored(run, 's' .. parent))
    return map and map[1] == 'M' and tonumber(match(key, '%.(%d+)$')) < tonumber(map[3])
  end
  local number, join, start = match(group, '^(%d+)|(%a)|(%d+)$')
  return not number or start == '0' or hasFired(tonumber(stored(run, 'g' .. number)), join == 'y')
end

-- A ready step that nobody can take now: said once per reason, looked at again at a time, no attempt charged.
-- Args: runId, step key, reason, again in ms, `group|join (y: any)|the group's start value` or '' (cleanups).
-- Reply: {'parked'} | {'refused', state|not-due}
T['park'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, '')
  if not run then return refusal end
  local key, reason = ARGV[a + 1], ARGV[a + 2]
  local current = header and header[1] or '-'
  if not string.find('-YP', current, 1, true) then return { 'refused', current } end
  if not header and not mayBegin(run, key, ARGV[a + 4]) then return { 'refused', 'not-due' } end
  schedule(tag .. K.due, 'p|' .. key .. '|' .. run.id, now + tonumber(ARGV[a + 3]))
  unschedule(tag .. K.due, 'q|' .. key .. '|' .. run.id)
  if current == 'P' and header[10] == reason then
    indexParked(run, key, reason, tonumber(ARGV[a + 3]))
    return { 'parked' }
  end
  put(run, 's' .. key, table.concat({ 'P', header and header[2] or 0, header and header[3] or 0, header and header[4] or '',
    header and header[5] or '', '', header and header[7] or '', header and header[8] or '', '', reason }, '|'))
  event(run, (isCleanup(key) and K.eventCleanupParked or K.eventStepParked) .. '|' .. integer(run.at) .. '|' .. key
    .. '|||||{"reason":"' .. reason .. '"}')
  if run.status == 'n' then run.status = 'r' end
  if current == 'P' then unindexParked(run, key, header) end
  writeRun(run)
  indexParked(run, key, reason, tonumber(ARGV[a + 3]))
  return { 'parked' }
end
