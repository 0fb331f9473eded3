-- needs: call, pending-writes
-- How a function is entered, and what it answers for a transition that failed.

-- Before anything of a call.
local function begin(arguments)
  ARGV = arguments
  local clock = call('TIME')
  now = clock[1] * 1000 + floor(clock[2] / 1000)
  nowText = format('%d', now)
  LEASE_END_TEXT = format('%d', now + C.leaseDurationMs)
  NAMESPACE = C.namespace
  resetPendingWrites()
end

local function errorReply(failure)
  return { 'error', type(failure) == 'table' and (failure.err or 'error') or tostring(failure) }
end
