-- needs: call, edges-and-groups, hand-out, parked-steps, pending-writes, run, step-header, transitions/clean-up
-- Steps that wait without a worker: delays, maps, parked steps.

-- What may begin to wait: the header's parts or nil, or the refusal.
local function openWaiting(tag, a, opening)
  local run = openRun(tag, A.runId, PREFIX.header .. A.key, FIELD.opening)
  if not run then return nil, nil, { 'refused', 'gone' } end
  if not canBecomeReady(run, A.key) then return nil, nil, { 'refused', 'cancelled' } end
  if not isOfOpening(run, opening) then return nil, nil, { 'refused', 'reopened' } end
  local found = stored(run, PREFIX.header .. A.key)
  return run, found and parts(found), nil
end

-- Reply: {'started'} | {'refused', reason}
T['start-delay'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, A.opening)
  if not run then return refusal end
  if header then return header[H.state] == STEP.delaying and { 'started' } or { 'refused', header[H.state] } end
  local due = run.at + tonumber(A.forMs)
  putHeader(run, A.key, { STEP.delaying, 0, 0, 0, '', '', run.atText, run.atText, '', integer(due) })
  if run.status == RUN.pending then run.status = RUN.running end
  writeRun(run)
  schedule(tag .. K.due, DUE.delay .. '|' .. A.key .. '|' .. run.id, run.created + due)
  return { 'started' }
end

-- Keeps items of a map before it starts; repeated or abandoned without harm.
-- Args: first: number of the first; then the items (JSON)
T['stage-items'] = function(tag, a, count)
  local run, header, refusal = openWaiting(tag, a, A.opening)
  if not run then return refusal end
  if header then return { 'refused', header[H.state] } end
  for index = #A, count - 1 do
    put(run, PREFIX.item .. A.key .. '.' .. (tonumber(A.first) + index - #A), ARGV[a + index])
  end
  writeRun(run)
  return { 'staged' }
end

-- Counts items as steps of the run; false when they exceed its budget.
local function countMadeSteps(run, items, maxSteps, definitionSteps)
  if maxSteps == '' then return true end
  local made = tonumber(stored(run, FIELD.madeSteps) or 0) + items
  if made + tonumber(definitionSteps) > tonumber(maxSteps) then return false end
  put(run, FIELD.madeSteps, integer(made))
  return true
end

-- Args: tolerated: failures; maxSteps: the budget or ''; definitionSteps: how many the definition has; mode: '' of a map
-- Reply: {'started'} | {'refused', reason|budget}
T['start-map'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, A.opening)
  if not run then return refusal end
  local key, items = A.key, tonumber(A.items)
  if header then return header[H.state] == STEP.mapRunning and { 'started' } or { 'refused', header[H.state] } end
  if not countMadeSteps(run, items, A.maxSteps, A.definitionSteps) then return { 'refused', 'budget' } end
  local first = math.min(items, tonumber(A.concurrency))
  local started = { STEP.mapRunning, items, first, 0, 0, A.concurrency, A.tolerated, run.atText }
  if A.mode ~= '' then
    started[MAP.retried] = ''
    started[MAP.mode] = A.mode
  end
  putHeader(run, key, started)
  if run.status == RUN.pending then run.status = RUN.running end
  writeRun(run)
  for item = 0, first - 1 do sendStep(run, key .. '.' .. item) end
  return { 'started' }
end

-- Whether a step that has no header yet may begin: hints of an earlier opening of the run outlive it, and whoever has a header
-- can be claimed.
local function mayBegin(run, key, group)
  local parent = parentOf(key)
  if parent then
    local map = headerOf(run, parent)
    return map and map[MAP.state] == STEP.mapRunning and tonumber(match(key, '%.(%d+)$')) < tonumber(map[MAP.next])
  end
  local number, join, start = match(group, '^(%d+)|(%a)|(%d+)$')
  return not number or start == '0' or hasFired(tonumber(stored(run, PREFIX.counter .. number)), join == JOIN.any)
end

-- A ready step that nobody can take now: said once per reason, looked at again at a time, no attempt charged.
-- Args: group: `group|join|the group's start value` or '' (cleanups)
-- Reply: {'parked'} | {'refused', state|not-due}
T['park'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, '')
  if not run then return refusal end
  local key, reason = A.key, A.reason
  local current = header and header[H.state] or NO_HEADER
  if not string.find(STATES.unclaimed, current, 1, true) then return { 'refused', current } end
  if not header and not mayBegin(run, key, A.group) then return { 'refused', 'not-due' } end
  startTimer(run, DUE.parked, key, tonumber(A.againInMs))
  endTimer(run, DUE.hint, key)
  if current == STEP.parked and header[H.reason] == reason then
    indexParked(run, key, reason, tonumber(A.againInMs))
    return { 'parked' }
  end
  putHeader(run, key, { STEP.parked, header and header[H.failures] or 0, header and header[H.crashes] or 0,
    header and header[H.fence] or '', header and header[H.attemptId] or '', '', header and header[H.firstAt] or '',
    header and header[H.startedAt] or '', '', reason })
  event(run, (isCleanup(key) and K.eventCleanupParked or K.eventStepParked) .. '|' .. run.atText .. '|' .. key
    .. '|||||{"reason":"' .. reason .. '"}')
  if run.status == RUN.pending then run.status = RUN.running end
  if current == STEP.parked then unindexParked(run, key, header) end
  writeRun(run)
  indexParked(run, key, reason, tonumber(A.againInMs))
  return { 'parked' }
end
