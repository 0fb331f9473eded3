-- Applies a group of transitions, each for itself.
-- ARGV: lease duration ms, namespace, then per transition: name, tag, argument count, arguments…
local replies, position, last = {}, 3, #ARGV
while position <= last do
  local argumentCount = tonumber(ARGV[position + 2])
  local ok, reply = pcall(T[ARGV[position]], ARGV[position + 1], position + 3, argumentCount)
  if not ok then reply = { 'error', type(reply) == 'table' and (reply.err or 'error') or tostring(reply) } end
  replies[#replies + 1] = reply
  position = position + 3 + argumentCount
end
flushGathered()
return replies
