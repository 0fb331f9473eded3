-- Applies a group of claims and commits.
-- Arguments: lease duration ms, namespace, then per list of transitions that share arguments: name, tag, their count, the shared
--       arguments, and the own ones of each
--
-- Invariants:
-- 1. Until all transitions of a group have ended, nothing is written: an error among them (a damaged field) leaves no
--    trace, and neither does a history that cannot be written. The group is then applied one by one, and only what fails
--    there answers an error.
-- 2. A transition sees in the shared run what the earlier ones of its group have put there.
local SHARED, OWN = { claim = 5, commit = 6 }, { claim = 2, commit = 6 }
-- By transition: its name, its tag, where its shared and its own arguments begin.
local names, tags, shared, own, count

local function unfold()
  names, tags, shared, own, count = {}, {}, {}, {}, 0
  local position, last = 3, #ARGV
  while position <= last do
    local name, tag, listed = ARGV[position], ARGV[position + 1], tonumber(ARGV[position + 2])
    local sharedAt, ownAt, ownLength = position + 3, position + 3 + SHARED[name], OWN[name]
    for index = 1, listed do
      count = count + 1
      names[count], tags[count], shared[count], own[count] = name, tag, sharedAt, ownAt
      ownAt = ownAt + ownLength
    end
    position = ownAt
  end
end

local function decide(from, to)
  gatherAnew()
  -- Run ids name their partition, so they tell runs of several tags apart.
  local runs, replies = {}, {}
  for index = from, to do
    local id = ARGV[shared[index]]
    local run = runs[id]
    if not run then
      run = newRun(tags[index], id)
      runs[id] = run
    end
    WANT[names[index]](run, shared[index], own[index])
  end
  for id, run in pairs(runs) do runs[id] = readRun(run) end
  for index = from, to do
    local sharedAt = shared[index]
    replies[index - from + 1] = T[names[index]](tags[index], sharedAt, own[index], runs[ARGV[sharedAt]] or nil)
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

return function(arguments)
  begin(arguments)
  unfold()
  local prepared, group = pcall(prepare, 1, count)
  if prepared then
    finishWriting(group.runs)
    return group.replies
  end
  local replies = {}
  for index = 1, count do
    local ok, alone = pcall(prepare, index, index)
    if ok then
      finishWriting(alone.runs)
      replies[index] = alone.replies[1]
    else
      replies[index] = errorReply(alone)
    end
  end
  return replies
end
