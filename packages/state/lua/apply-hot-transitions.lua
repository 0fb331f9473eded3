-- Applies a group of claims and commits.
-- ARGV: lease duration ms, namespace, then per transition: name, tag, argument count, arguments…
--
-- Invariants:
-- 1. Until all transitions of a group have ended, nothing is written: an error among them (a damaged field) leaves no
--    trace, and neither does a history that cannot be written. The group is then applied one by one, and only what fails
--    there answers an error.
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

-- What was not read can be of another kind than it should be, and fail: it is written before anything else, and taken
-- back. Steps that are held again are held once.
local function writeHistories(runs)
  local written = {}
  for _, run in pairs(runs) do
    if run and run.changed then
      local ok, failure = pcall(function()
        if run.held then callInParts(run.held) end
        if #run.events > 2 then callInParts(run.events) end
      end)
      if not ok then
        for index = 1, #written do call('LTRIM', written[index][2], 0, 1 - #written[index]) end
        error(failure, 0)
      end
      if #run.events > 2 then written[#written + 1] = run.events end
    end
  end
end

-- What can fail: it writes nothing then.
local function prepare(from, to)
  local replies, runs = decide(from, to)
  writeHistories(runs)
  return { replies = replies, runs = runs }
end

local function finishWriting(runs)
  for _, run in pairs(runs) do
    if run and run.changed then writeFields(run) end
  end
  flushGathered()
end

local prepared, group = pcall(prepare, 1, #starts)
if prepared then
  finishWriting(group.runs)
  return group.replies
end
local replies = {}
for index = 1, #starts do
  local ok, own = pcall(prepare, index, index)
  if ok then
    finishWriting(own.runs)
    replies[index] = own.replies[1]
  else
    replies[index] = errorReply(own)
  end
end
return replies
