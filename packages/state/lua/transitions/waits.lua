-- needs: call, pending-writes, run, step-header, transitions/start-waiting, waits
-- Waits for something from outside a run: see waits.lua for how they are stored.

local MAX_UNCLAIMED_SIGNALS = 1000
local MAX_UNCLAIMED_BYTES = 1048576

-- Claims the earliest signal of this name that no step has claimed; returns its number or ''.
local function claimSignal(run, waits, name)
  if waits.unclaimed == 0 then return '' end
  local number, left = takeFirst(stored(run, WAIT_FIELD.unclaimed) or '', name)
  if not number then return '' end
  putList(run, WAIT_FIELD.unclaimed, left)
  waits.unclaimed = waits.unclaimed - 1
  local bytes = tonumber(stored(run, WAIT_FIELD.unclaimedBytes) or 0) - #(stored(run, WAIT_FIELD.message .. number) or '')
  put(run, WAIT_FIELD.unclaimedBytes, integer(math.max(0, bytes)))
  return number
end

-- Args: runId, step key, opening, kind, subject, time limit in ms or '', what it is about (JSON) or ''
-- Reply: {'started', subject} | {'refused', reason}
T['start-wait'] = function(tag, a)
  local run, header, refusal = openWaiting(tag, a, A.opening)
  if not run then return refusal end
  local key, kind, subject, limitMs, detail = A.key, A.waitKind, A.subject, A.limitMs, A.detail
  if header then
    if header[H.state] == STEP.waiting then return { 'started', header[H.subject] } end
    return { 'refused', header[H.state] }
  end
  local waits = waitsOf(run)
  local answer = kind == 'signal' and claimSignal(run, waits, subject) or ''
  local due = limitMs ~= '' and integer(run.at + tonumber(limitMs)) or ''
  waits.open = waits.open + 1
  putWaitHeader(run, key, { STEP.waiting, 0, 0, 0, '', '', run.atText, run.atText, '', due, kind, subject, answer })
  putWaits(run, waits)
  if detail ~= '' then put(run, WAIT_FIELD.detail .. key, detail) end
  if sub(subject, 1, #run.id + 1) == run.id .. '~' then noteChannel(run, subject) end
  if kind == 'approval' then put(run, WAIT_FIELD.approvals, (stored(run, WAIT_FIELD.approvals) or '') .. key .. ',') end
  if run.status == RUN.pending then run.status = RUN.running end
  local shown = kind == 'webhook' and '' or ',"subject":"' .. subject .. '"'
  event(run, K.eventWaitStarted .. '|' .. run.atText .. '|' .. key .. '|||||{"kind":"' .. kind .. '"' .. shown .. '}')
  if answer ~= '' then
    send(tag, OUTBOX.waitAnswered .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. key)
  else
    if kind == 'signal' then addToList(run, WAIT_FIELD.waiters, subject, key) end
    if due ~= '' then schedule(tag .. K.due, DUE.waitLimit .. '|' .. key .. '|' .. run.id, run.created + tonumber(due)) end
  end
  writeRun(run)
  if kind == 'workflow' then send(tag, OUTBOX.startChild .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. key) end
  if kind == 'send' or kind == 'receive' then
    send(tag, OUTBOX.joinChannel .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. key)
  end
  if kind == 'approval' then schedule(tag .. K.approvals, run.id .. '|' .. key, now) end
  return { 'started', subject }
end

-- Args: runId, name, body (JSON), idempotency key or ''. Reply: {'sent', number, step key that gets it or ''} | {'known', number}
--       | {'refused', gone|ended|full}
T['send-signal'] = function(tag, a)
  local name, body, dedupe = A.signal, A.body, A.sentWith
  local run = openRun(tag, A.runId, WAIT_FIELD.counts, WAIT_FIELD.waiters, WAIT_FIELD.unclaimed, WAIT_FIELD.sentWith .. dedupe)
  if not run then return { 'refused', 'gone' } end
  local known = dedupe ~= '' and stored(run, WAIT_FIELD.sentWith .. dedupe)
  if known then return { 'known', known } end
  if not isActive(run.status) then return { 'refused', 'ended' } end
  local waits = waitsOf(run)
  local key = takeFirst(stored(run, WAIT_FIELD.waiters) or '', name)
  if not key then
    local bytes = tonumber(stored(run, WAIT_FIELD.unclaimedBytes) or 0) + #body
    if waits.unclaimed >= MAX_UNCLAIMED_SIGNALS or bytes > MAX_UNCLAIMED_BYTES then return { 'refused', 'full' } end
    put(run, WAIT_FIELD.unclaimedBytes, integer(bytes))
  end
  local number = keepMessage(run, waits, body)
  event(run, K.eventSignalReceived .. '|' .. run.atText .. '|' .. (key or '') .. '|||||{"name":"' .. name .. '"}')
  if dedupe ~= '' then put(run, WAIT_FIELD.sentWith .. dedupe, number) end
  if key then
    answerWait(run, key, headerOf(run, key), number)
  else
    addToList(run, WAIT_FIELD.unclaimed, name, number)
    waits.unclaimed = waits.unclaimed + 1
  end
  putWaits(run, waits)
  writeRun(run)
  return { 'sent', number, key or '' }
end

-- Answers the wait of one step. Args: runId, step key, kind, subject it must have or '', body (JSON) or '' for a child run, data
--       of the event (JSON)
-- Reply: {'answered'} | {'refused', gone|ended|not-waiting|answered|other}
T['answer-wait'] = function(tag, a)
  local key, kind, subject, body = A.key, A.waitKind, A.subject, A.body
  local run = openRun(tag, A.runId, PREFIX.header .. key, WAIT_FIELD.counts)
  if not run then return { 'refused', 'gone' } end
  if A.sentWith ~= '' and stored(run, WAIT_FIELD.sentWith .. A.sentWith) then return { 'answered' } end
  local header = headerOf(run, key)
  if not header or header[H.state] ~= STEP.waiting then return { 'refused', 'not-waiting' } end
  if header[H.waitKind] ~= kind or (subject ~= '' and header[H.subject] ~= subject) then return { 'refused', 'other' } end
  if header[H.answer] ~= '' then return { 'refused', 'answered' } end
  if not isActive(run.status) then return { 'refused', 'ended' } end
  local waits = waitsOf(run)
  local answer = body == '' and WAIT_ANSWER.child or keepMessage(run, waits, body)
  event(run, K.eventWaitAnswered .. '|' .. run.atText .. '|' .. key .. '|||||' .. A.data)
  putWaits(run, waits)
  if A.sentWith ~= '' then put(run, WAIT_FIELD.sentWith .. A.sentWith, answer) end
  answerWait(run, key, header, answer)
  writeRun(run)
  return { 'answered' }
end

-- Of a run that is ending or has ended: its waits are closed. Args: runId, step keys… Reply: {'closed'} | {'refused'}
T['close-waits'] = function(tag, a, count)
  local run = openRun(tag, A.runId, WAIT_FIELD.counts)
  if not run or isActive(run.status) or run.status == RUN.reopening then return { 'refused' } end
  for index = #A, count - 1 do
    local key = ARGV[a + index]
    local header = headerOf(run, key)
    if header and header[H.state] == STEP.waiting and header[H.answer] ~= WAIT_ANSWER.closed then
      endWait(run, key, header)
      answerWait(run, key, header, WAIT_ANSWER.closed)
    end
  end
  writeRun(run)
  return { 'closed' }
end

-- What a committed attempt has done with channels has been carried out. Args: runId, step key, fence. Reply: {'forgotten'}
T['channel-work-done'] = function(tag, a)
  local run = openRun(tag, A.runId)
  if not run then return { 'forgotten' } end
  remove(run, WAIT_FIELD.channelWork .. A.key .. '|' .. A.fence)
  writeRun(run)
  return { 'forgotten' }
end
