-- needs: call, pending-writes
-- A worker's lease: one renewal for all its attempts in this partition.

-- Args: endingSince: score of the last cancellation that the worker knows. Reply: {now, the lease had run out before (1|0), run
-- ids that are ending since endingSince…}. Only here it is known whether it had: a renewal may have been long on its way.
T['renew'] = function(tag, a)
  local before = tonumber(call('ZSCORE', tag .. K.workers, A.worker))
  schedule(tag .. K.workers, A.worker, LEASE_END_TEXT)
  -- Workers that ended without leaving.
  call('ZREMRANGEBYSCORE', tag .. K.workers, '-inf', integer(now - 3600000))
  local reply = { integer(now), before and before > now and 0 or 1 }
  local ending = call('ZRANGEBYSCORE', tag .. K.cancels, A.endingSince, '+inf', 'LIMIT', 0, 1000)
  for index = 1, #ending do reply[index + 2] = ending[index] end
  return reply
end

-- A clean exit: nothing is held any more.
T['leave'] = function(tag, a)
  unschedule(tag .. K.workers, A.worker)
  return { 'left' }
end
