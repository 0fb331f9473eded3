-- needs: call
-- What readers need for a while only, and what nobody takes away when it becomes true no more.

-- Forgets changes that are older than readers go back, or more than they take up, and reasons that nothing waits for.
-- Args: before: ms, older changes go; maxKept: changes; limit: how many go at most
-- Reply: {how many changes were forgotten}
T['tidy-indexes'] = function(tag, a)
  local changed, limit = tag .. K.changed, tonumber(A.limit)
  local old = call('ZRANGEBYSCORE', changed, '-inf', A.before, 'LIMIT', 0, limit)
  if #old > 0 then call('ZREM', changed, unpack(old)) end
  local tooMany = math.min(call('ZCARD', changed) - tonumber(A.maxKept), limit)
  if tooMany > 0 then call('ZREMRANGEBYRANK', changed, 0, tooMany - 1) end
  for _, name in ipairs(call('SRANDMEMBER', tag .. K.waits, limit)) do
    if call('EXISTS', tag .. K.waiting .. name) == 0 then call('SREM', tag .. K.waits, name) end
  end
  return { integer(#old + math.max(tooMany, 0)) }
end
