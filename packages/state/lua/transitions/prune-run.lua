-- needs: call, indexes, pending-writes, run, transitions/append-logs
-- What is left of a run that has ended, or is gone, is taken away.

-- Takes the timers of a run that has ended, or is gone, away; one that was reopened since has timers of its own.
-- Args: then step keys
T['sweep-run'] = function(tag, a, count)
  local run = openRun(tag, A.runId)
  if run and not isTerminal(run.status) then return { 'refused' } end
  for index = #A, count - 1 do
    local member = '|' .. ARGV[a + index] .. '|' .. A.runId
    for kind in string.gmatch(TIMERS.ofStep, '.') do unschedule(tag .. K.due, kind .. member) end
  end
  call('DEL', tag .. K.paused .. A.runId)
  return { 'swept' }
end

-- Args: channelsAreGone: 1 or '', whether the channels of the run's own have been removed. They go first, so that nothing is
-- left of them when the caller dies in between.
-- Reply: {'pruned'} | {'refused'} | {'channels', `name,…`}
T['prune-run'] = function(tag, a)
  local id = A.runId
  local key = tag .. K.run .. id
  local values = call('HMGET', key, FIELD.meta, FIELD.definition, FIELD.workflow, FIELD.tags, WAIT_FIELD.approvals,
    FIELD.errors, WAIT_FIELD.channels)
  if values[1] and not isTerminal(string.sub(values[1], 1, 1)) then return { 'refused' } end
  if values[7] and A.channelsAreGone == '' then return { 'channels', values[7] } end
  unschedule(tag .. K.ended, id)
  unschedule(tag .. K.runs, id)
  unschedule(tag .. K.dead, id)
  unschedule(tag .. K.failedCleanups, id)
  if not values[1] then return { 'pruned' } end
  unschedule(tag .. K.byWorkflow .. values[3], id)
  local labels = labelsFrom(values[3], values[4])
  for _, label in ipairs(labels.tags) do unschedule(tag .. K.byTag .. tostring(label), id) end
  unindexRun(tag, id, sub(values[1], 1, 1), labels, values[6])
  for asked in string.gmatch(values[5] or '', '[^,]+') do
    unschedule(tag .. K.approvals, id .. '|' .. asked)
    unschedule(tag .. K.decidedApprovals, id .. '|' .. asked)
  end
  forgetLogs(tag, id)
  call('UNLINK', key, tag .. K.history .. id, tag .. K.paused .. id, tag .. K.deadLetters .. id)
  local definitionKey = tag .. K.definition .. values[2]
  if call('HINCRBY', definitionKey, 'runs', -1) <= 0 then call('UNLINK', definitionKey) end
  return { 'pruned' }
end
