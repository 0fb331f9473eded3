-- needs: call
-- Ended runs are handed to who exports their spans, each until it says that it has. Nobody writes for it while runs go on: what
-- has ended is read from the index of ends, up to a mark.
--
-- Invariant: the mark lags behind the clock, so that no run ends at or before it any more.
-- No run has such an id.
local MARK = '|'

-- With all of the last one's millisecond: what is beyond the limit would be passed over else.
local function endedAfter(tag, mark, upTo, limit)
  local found = call('ZRANGEBYSCORE', tag .. K.ended, '(' .. mark, upTo, 'WITHSCORES', 'LIMIT', 0, limit)
  if #found < 2 * tonumber(limit) then return found, upTo end
  local last = found[#found]
  return call('ZRANGEBYSCORE', tag .. K.ended, '(' .. mark, last, 'WITHSCORES'), last
end

-- Args: lagMs: of the mark; againInMs: when a run is offered again that nobody has ended; maxAgeMs: runs that ended longer ago
--       are left out. Reply: run ids
T['take-untraced'] = function(tag, a)
  local key = tag .. K.untraced
  local oldest = now - tonumber(A.maxAgeMs)
  local mark = tonumber(call('ZSCORE', key, MARK)) or now - tonumber(A.lagMs)
  if mark < oldest then mark = oldest end
  local found, upTo = endedAfter(tag, integer(mark), integer(now - tonumber(A.lagMs)), A.limit)
  for index = 1, #found, 2 do call('ZADD', key, found[index + 1], found[index]) end
  call('ZADD', key, upTo, MARK)
  local taken, again = {}, { 'ZADD', key }
  for _, id in ipairs(call('ZRANGEBYSCORE', key, '-inf', integer(now), 'LIMIT', 0, A.limit + 1)) do
    if id ~= MARK then
      taken[#taken + 1] = id
      again[#again + 1] = integer(now + tonumber(A.againInMs))
      again[#again + 1] = id
    end
  end
  if #taken > 0 then call(unpack(again)) end
  return taken
end

-- Their spans have been exported. Args: run ids. Reply: {'ended'}
T['end-traces'] = function(tag, a, count)
  local remove = { 'ZREM', tag .. K.untraced }
  for index = #A, count - 1 do remove[#remove + 1] = ARGV[a + index] end
  if #remove > 2 then call(unpack(remove)) end
  return { 'ended' }
end
