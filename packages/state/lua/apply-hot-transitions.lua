-- Applies a group of claims and commits.
-- ARGV: lease duration ms, namespace, then per transition: name, tag, argument count, arguments…
--
-- Invariants:
-- 1. Until all transitions of a group have ended, nothing is written: an error among them (a damaged field) leaves no
--    trace. The group is then applied one by one, and only what fails there answers an error.
-- 2. A transition sees in the shared run what the earlier ones of its group have put there.
local starts, position, last = {}, 3, #ARGV
while position <= last do
  starts[#starts + 1] = position
  position = position + 3 + tonumber(ARGV[position + 2])
end

local function decide(from, to)
  gatherAnew()
  -- Run ids name their partition, so they tell runs of several tags apart.
  local runs, replies = {}, {}
  for index = from, to do
    local at = starts[index]
    local id = ARGV[at + 3]
    local run = runs[id]
    if not run then
      run = newRun(ARGV[at + 1], id)
      runs[id] = run
    end
    WANT[ARGV[at]](run, at + 3)
  end
  for id, run in pairs(runs) do runs[id] = readRun(run) end
  for index = from, to do
    local at = starts[index]
    replies[index - from + 1] = T[ARGV[at]](ARGV[at + 1], at + 3, runs[ARGV[at + 3]] or nil)
  end
  return replies, runs
end

local function write(runs)
  for _, run in pairs(runs) do
    if run and run.changed then
      writeRunNow(run)
      if run.held then callInParts(run.held) end
    end
  end
  flushGathered()
end

local decided, replies, runs = pcall(decide, 1, #starts)
if decided then
  write(runs)
  return replies
end
replies = {}
for index = 1, #starts do
  local ok, own, ownRuns = pcall(decide, index, index)
  if ok then
    write(ownRuns)
    replies[index] = own[1]
  else
    replies[index] = errorReply(own)
  end
end
return replies
