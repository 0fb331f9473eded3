-- needs: call, entry, pending-writes
-- Applies a group of transitions, each for itself: a later one reads what an earlier one has written.
-- Arguments: lease duration ms, namespace, then per transition: name, tag, argument count, arguments…
return function(arguments)
  begin(arguments)
  local replies, position, last = {}, #C + 1, #ARGV
  while position <= last do
    local argumentCount = tonumber(P.count)
    local ok, reply = withSeparateWrites(T[P.name], P.tag, position + #P, argumentCount)
    replies[#replies + 1] = ok and reply or errorReply(reply)
    position = position + #P + argumentCount
  end
  flushGathered()
  return replies
end
