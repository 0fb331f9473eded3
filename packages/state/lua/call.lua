-- Stands first in every function: short names, and what is of the call under way. K.… are literals put in by
-- state/src/lua-source.ts, which also says what stands behind what.
--
-- Invariants:
-- 1. A transition reads and checks everything first and writes last, so that one refused transition leaves nothing
--    behind and takes nothing from the others of its group (Lua does not roll back).
-- 2. What stands at the top of a file lives on from call to call (the server keeps it): nothing there is of one call but
--    what `begin` sets anew, and what is kept to save work is bounded.

-- Globals are looked up by name each time they are used, locals are not.
local call, pcall, pairs, tonumber = redis.call, pcall, pairs, tonumber
local find, format, match, sub, floor = string.find, string.format, string.match, string.sub, math.floor
-- Of the call under way.
local ARGV, now, nowText, LEASE_END_TEXT, NAMESPACE
-- The transitions by name.
local T = {}

-- Lua would write large numbers with an exponent.
local function integer(value) return format('%d', value) end
