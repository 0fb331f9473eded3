-- needs: begin-ending, call, cleanups, hand-out, pending-writes, run, waits
-- A run that ended and is to go on. It is reopened in slices: while its status is `a` nothing of it starts, and the relay
-- takes away what is to be made anew; then one transition lets it run. Repeating any of them changes nothing.

-- `opening|cleanups|selection (JSON)` is kept in the field `a`: how many times the run has been opened, 1 at first; how many
-- cleanups of earlier openings are stored, whose steps have been undone and must be made anew; what the last retry asked for,
-- until the run goes on: each commit reads the field.
local function openingOf(run)
  local opening, cleanups = string.match(stored(run, FIELD.opening) or '1|0|', '^(%d+)|(%d+)|')
  return tonumber(opening), tonumber(cleanups)
end

-- `only` of a selection, a thousand at a time: whether all of them are dead letters now.
local LETTERS_A_LOOK = 1000
local function areDeadLetters(tag, run, selection)
  local keys = {}
  for key in string.gmatch(match(selection, '"only":%[([%d,]*)%]') or '', '%d+') do keys[#keys + 1] = key end
  for first = 1, #keys, LETTERS_A_LOOK do
    local last = math.min(first + LETTERS_A_LOOK - 1, #keys)
    local scores = call('ZMSCORE', tag .. K.deadLetters .. run.id, unpack(keys, first, last))
    for index = 1, last - first + 1 do
      if not scores[index] then return false end
    end
  end
  return true
end

-- Args: seenOpening: whose end the caller has seen, or ''; selection: JSON; data: of the event, JSON without the opening's
--       number; mustBeDead: the selected steps must be dead letters (1 or '')
-- Reply: {'retried'|'already', opening, status} | {'refused', status} | {'refused', 'discarded'} | {'gone'}
T['retry-run'] = function(tag, a)
  local run = openRun(tag, A.runId, FIELD.opening, FIELD.cleanups, WAIT_FIELD.counts)
  if not run or not definitionOf(run) then return { 'gone' } end
  local opening, undone = openingOf(run)
  local seen = tonumber(A.seenOpening)
  if run.status == RUN.reopening or (seen and seen < opening) then return { 'already', integer(opening), run.status } end
  if not isTerminal(run.status) or run.status == RUN.succeeded then return { 'refused', run.status } end
  -- Whether a step is undone cannot be said while that is being done.
  if stored(run, FIELD.cleanupAgain) then return { 'refused', RUN.ending } end
  -- What somebody has discarded since the caller looked is not made anew behind their back.
  if A.mustBeDead == '1' and not areDeadLetters(tag, run, A.selection) then return { 'refused', 'discarded' } end
  opening = opening + 1
  local cleanups = cleanupsOf(run)
  if cleanups then undone = math.max(undone, cleanups.registered) end
  run.status = RUN.reopening
  put(run, FIELD.opening, integer(opening) .. '|' .. integer(undone) .. '|' .. A.selection)
  forgetOpenWaits(run)
  -- What has been undone is not undone again, should the run be cancelled now.
  for field in string.gmatch(FIELDS.ofEndedRun, '.') do remove(run, field) end
  event(run, K.eventRunRetried .. '|' .. run.atText .. '||||||{"opening":' .. integer(opening) .. A.data .. '}')
  unschedule(tag .. K.ended, run.id)
  unschedule(tag .. K.dead, run.id)
  unschedule(tag .. K.failedCleanups, run.id)
  send(tag, OUTBOX.reopen .. '|' .. run.id .. '|' .. definitionOf(run) .. '|' .. integer(opening))
  writeRun(run)
  return { 'retried', integer(opening), RUN.reopening }
end

-- True while the run is being reopened for the opening that the caller works on.
local function isReopening(run, opening) return run and run.status == RUN.reopening and (openingOf(run)) == tonumber(opening) end

-- One slice: takes fields and timers away and sets others. The caller keeps it small.
-- Args: then the step keys whose timers end, the count of fields, the fields to take away, and fields and values to set
-- Reply: {'reset'} | {'refused'}
T['reset-steps'] = function(tag, a, count)
  local run = openRun(tag, A.runId, FIELD.opening)
  if not isReopening(run, A.opening) then return { 'refused' } end
  local index = a + #A
  for key = index, index + tonumber(A.keyCount) - 1 do
    endTimers(run, TIMERS.ofStep, ARGV[key])
  end
  index = index + tonumber(A.keyCount)
  local last = index + tonumber(ARGV[index])
  -- A step whose header goes, or is that of a map that goes on, has not failed any more.
  local revived = { 'ZREM', tag .. K.deadLetters .. run.id }
  for field = index + 1, a + count - 1 do
    local key = (field <= last or (field - last) % 2 == 1) and string.match(ARGV[field], '^' .. PREFIX.header .. '(%d+)$')
    if key then revived[#revived + 1] = key end
  end
  if #revived > 2 then call(unpack(revived)) end
  if last > index then callInParts({ 'HDEL', run.key, unpack(ARGV, index + 1, last) }) end
  if last < a + count - 1 then callInParts({ 'HSET', run.key, unpack(ARGV, last + 1, a + count - 1) }) end
  return { 'reset' }
end

-- Lets a run whose steps have been reset run again.
-- Args: endSteps: that have not settled; failure: of a step that stays failed (JSON) or ''; timeoutMs: or ''
-- Reply: {'reopened'} | {'refused'}
T['reopen-run'] = function(tag, a)
  local run = openRun(tag, A.runId, FIELD.opening)
  if not isReopening(run, A.opening) then return { 'refused' } end
  local _, undone = openingOf(run)
  run.status, run.live, run.endPending = RUN.pending, 0, tonumber(A.endSteps)
  -- Of which steps that holds the fields `r` say, which the slices have set.
  if undone > 0 then run.hasUndone = true end
  for field in string.gmatch(FIELDS.ofEnding, '.') do remove(run, field) end
  put(run, FIELD.opening, A.opening .. '|0|')
  run.hasFailed = A.failure == '' and '0' or '1'
  if A.failure == '' then remove(run, FIELD.failure) else put(run, FIELD.failure, A.failure) end
  if A.timeoutMs ~= '' then schedule(tag .. K.due, DUE.runLimit .. '||' .. run.id, now + tonumber(A.timeoutMs)) end
  finishWhenDone(run)
  writeRun(run)
  call('DEL', tag .. K.paused .. run.id)
  return { 'reopened' }
end
