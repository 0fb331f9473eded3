-- needs: call, pending-writes, run, step-header
-- Steps that wait for something from outside their run: a signal, a decision, a request, a child run.
--
-- The header's `answer` is '' while the step waits: then the number of the stored message, or a `WAIT_ANSWER`. Its `subject`
-- is the signal's name, the webhook's token or the child's run id. The fields of the run are those of `WAIT_FIELD`.
--
-- Invariants:
-- 1. A wait is answered once: only an empty answer is filled in. What answers it is stored before a scheduler settles the step.
-- 2. A signal is claimed by one step: it is taken off the queue by the same script that writes the answer.

local function waitsOf(run)
  local open, unclaimed, messages = match(stored(run, WAIT_FIELD.counts) or '', '^(%d+)|(%d+)|(%d+)$')
  return { open = tonumber(open) or 0, unclaimed = tonumber(unclaimed) or 0, messages = tonumber(messages) or 0 }
end

local function putWaits(run, waits)
  put(run, WAIT_FIELD.counts, integer(waits.open) .. '|' .. integer(waits.unclaimed) .. '|' .. integer(waits.messages))
end

-- Takes the first entry of a list of `name|value,…` with this name off it. Returns its value or nil, and what is left.
local function takeFirst(list, name)
  local taken
  local left = {}
  for entryName, value in string.gmatch(list, '([^|,]+)|([^,]+)') do
    if not taken and entryName == name then taken = value else left[#left + 1] = entryName .. '|' .. value end
  end
  return taken, table.concat(left, ',')
end

-- Takes the entry with this value off a list.
local function takeValue(list, value)
  local left = {}
  for entryName, other in string.gmatch(list, '([^|,]+)|([^,]+)') do
    if other ~= value then left[#left + 1] = entryName .. '|' .. other end
  end
  return table.concat(left, ',')
end

local function putList(run, field, list)
  if list == '' then remove(run, field) else put(run, field, list) end
end

local function addToList(run, field, name, value)
  local list = stored(run, field) or ''
  put(run, field, (list == '' and '' or list .. ',') .. name .. '|' .. value)
end

-- Stores a message; returns its number.
local function keepMessage(run, waits, body)
  local number = integer(waits.messages)
  waits.messages = waits.messages + 1
  put(run, WAIT_FIELD.message .. number, body)
  return number
end

local function putWaitHeader(run, key, header)
  noteWait(run, key, header)
  put(run, PREFIX.header .. key, table.concat(header, '|', 1, H.answer))
end

-- Fills in the answer of an open wait and has a scheduler settle the step.
local function answerWait(run, key, header, answer)
  header[H.answer] = answer
  putWaitHeader(run, key, header)
  unschedule(run.tag .. K.due, DUE.waitLimit .. '|' .. key .. '|' .. run.id)
  if header[H.waitKind] == 'signal' then
    putList(run, WAIT_FIELD.waiters, takeValue(stored(run, WAIT_FIELD.waiters) or '', key))
  end
  if answer ~= WAIT_ANSWER.closed then
    send(run.tag, OUTBOX.waitAnswered .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. key)
  end
end

-- The step has settled, or waits no more: what was kept for the wait goes.
local function endWait(run, key, header)
  if header[H.waitKind] == LOOP_WAIT then return end
  local waits = waitsOf(run)
  waits.open = math.max(0, waits.open - 1)
  putWaits(run, waits)
  if match(header[H.answer], '^%d+$') then remove(run, WAIT_FIELD.message .. header[H.answer]) end
  unschedule(run.tag .. K.due, DUE.waitLimit .. '|' .. key .. '|' .. run.id)
  if header[H.waitKind] == 'approval' then
    unschedule(run.tag .. K.approvals, run.id .. '|' .. key)
    schedule(run.tag .. K.decidedApprovals, run.id .. '|' .. key, now)
  elseif header[H.waitKind] ~= 'workflow' then
    remove(run, WAIT_FIELD.detail .. key)
  end
end

-- A run that is retried asks anew what it had not been answered, and nobody may have closed that by then. Signals that no step
-- has claimed stay.
local function forgetOpenWaits(run)
  if not stored(run, WAIT_FIELD.counts) then return end
  local waits = waitsOf(run)
  waits.open = 0
  putWaits(run, waits)
  remove(run, WAIT_FIELD.waiters)
end

-- The run begins to end, or has ended, while steps of it wait: a scheduler closes them.
local function closeWaitsOf(run)
  local open = match(stored(run, WAIT_FIELD.counts) or '', '^(%d+)|')
  if open and open ~= '0' then send(run.tag, OUTBOX.closeWaits .. '|' .. run.id .. '|' .. definitionOf(run)) end
end

-- Signals that nobody has waited for are named when the run ends.
local function recordUnusedSignals(run)
  local list = stored(run, WAIT_FIELD.counts) and stored(run, WAIT_FIELD.unclaimed)
  if not list then return end
  local counts = {}
  for name in string.gmatch(list, '([^|,]+)|[^,]+') do counts[name] = (counts[name] or 0) + 1 end
  event(run, K.eventSignalsUnused .. '|' .. run.atText .. '||||||' .. cjson.encode({ signals = counts }))
end

local function hasEnding(id, suffix) return sub(id, -#suffix) == suffix end

-- A child run says in its id that it is one: others cost nothing when they end.
local function announceToParent(run)
  if not hasEnding(run.id, '-child') or not stored(run, WAIT_FIELD.parent) then return end
  send(run.tag, OUTBOX.childEnded .. '|' .. run.id .. '|' .. definitionOf(run))
end

-- A channel of the run's own ends with it: pruning must know it.
local function noteChannel(run, channel)
  local list = stored(run, WAIT_FIELD.channels) or ''
  if not find(',' .. list, ',' .. channel .. ',', 1, true) then put(run, WAIT_FIELD.channels, list .. channel .. ',') end
end
