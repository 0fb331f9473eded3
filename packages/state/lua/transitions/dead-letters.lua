-- needs: call, pending-writes, run, transitions/retry-run
-- Dead letters: steps that failed for good, of runs that ended failed or timed out. The transitions that fail a step, end a
-- run, reopen and prune it keep the index; making one anew is a retry of its run.

-- Takes steps off the list of dead letters. The run stays as it ended, and may be retried all the same.
-- Args: seenOpening: whose end the caller has seen, or ''; then step keys
-- Reply: {'discarded', which of them were listed, '1' or '0' each…} | {'refused', status} it is not, or not any more, a run
--        with dead letters of that opening | {'gone'}
T['discard-dead-letters'] = function(tag, a, count)
  local run = openRun(tag, A.runId, FIELD.opening)
  if not run then return { 'gone' } end
  local seen = tonumber(A.seenOpening)
  local isDead = run.status == RUN.failed or run.status == RUN.timedOut
  if not isDead or (seen and seen < (openingOf(run))) then return { 'refused', run.status } end
  local letters, reply = tag .. K.deadLetters .. run.id, { 'discarded' }
  for index = a + #A, a + count - 1 do reply[#reply + 1] = integer(call('ZREM', letters, ARGV[index])) end
  if call('EXISTS', letters) == 0 then unschedule(tag .. K.dead, run.id) end
  return reply
end
