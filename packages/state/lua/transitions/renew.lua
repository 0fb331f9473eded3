-- needs: call, gathered-writes
-- A worker's lease: one renewal for all its attempts in this partition.

-- Args: endingSince: score of the last cancellation that the worker knows. Reply: {now, run ids that are ending since then…}
T['renew'] = function(tag, a)
  schedule(tag .. K.workers, A.worker, LEASE_END_TEXT)
  -- Workers that ended without leaving.
  call('ZREMRANGEBYSCORE', tag .. K.workers, '-inf', integer(now - 3600000))
  local reply = { integer(now) }
  local ending = call('ZRANGEBYSCORE', tag .. K.cancels, A.endingSince, '+inf', 'LIMIT', 0, 1000)
  for index = 1, #ending do reply[index + 1] = ending[index] end
  return reply
end

-- A clean exit: nothing is held any more.
T['leave'] = function(tag, a)
  unschedule(tag .. K.workers, A.worker)
  return { 'left' }
end
