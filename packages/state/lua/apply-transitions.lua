-- Applies a group of transitions, each for itself: a later one reads what an earlier one has written.
-- Arguments: lease duration ms, namespace, then per transition: name, tag, argument count, arguments…
return function(arguments)
  begin(arguments)
  local replies, position, last = {}, 3, #ARGV
  while position <= last do
    local argumentCount = tonumber(ARGV[position + 2])
    local ok, reply = gatherApart(T[ARGV[position]], ARGV[position + 1], position + 3, argumentCount)
    replies[#replies + 1] = ok and reply or errorReply(reply)
    position = position + 3 + argumentCount
  end
  flushGathered()
  return replies
end
