-- needs: call, entry, pending-writes, run, share-runs
-- Applies a group of claims and commits.
-- Arguments: lease duration ms, namespace, then per list of transitions that share arguments: name, tag, their count, the shared
--       arguments, and the own ones of each
--
-- Invariants:
-- 1. Until all transitions of a group have ended, nothing is written: an error among them (a damaged field) leaves no
--    trace, and neither does a history that cannot be written. The group is then applied one by one, and only what fails
--    there answers an error.
-- 2. A transition sees in the shared run what the earlier ones of its group have put there.

-- Lists of transitions: what they share, and in `first`, `each` and `count` where their own arguments stand.
local function readLists()
  local lists, position, last = {}, #C + 1, #ARGV
  while position <= last do
    local name, tag, shared = P.name, P.tag, position + #P
    local list = {
      transition = T[name], want = WANT[name], tag = tag, id = ARGV[shared], count = tonumber(P.count),
      due = tag .. K.due, lease = tag .. K.lease,
      -- What `LIST` sets: named here, so that the table need not grow.
      first = 0, each = 0, worker = false, sources = false, wantsInput = false, group = false, letters = false, edges = false,
      nextItemAttemptMs = false,
    }
    list.first, list.each = LIST[name](list, shared)
    lists[#lists + 1] = list
    position = list.first + list.each * list.count
  end
  return lists
end

local function decide(lists)
  resetPendingWrites()
  -- Run ids name their partition, so they tell runs of several tags apart.
  local runs, replies, replied = {}, {}, 0
  for index = 1, #lists do
    local list = lists[index]
    local id, wants, each = list.id, list.want, list.each
    local run = runs[id]
    if not run then
      run = newRun(list.tag, id)
      runs[id] = run
    end
    wants(run, list, list.first, list.first + each * (list.count - 1))
  end
  for id, run in pairs(runs) do runs[id] = readRun(run) end
  for index = 1, #lists do
    local list = lists[index]
    local run, transition, each = runs[list.id] or nil, list.transition, list.each
    for own = list.first, list.first + each * (list.count - 1), each do
      replied = replied + 1
      replies[replied] = transition(list, own, run)
    end
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
local function prepare(lists)
  local replies, runs = decide(lists)
  writeHistories(runs)
  return { replies = replies, runs = runs }
end

local function finishWriting(runs)
  for _, run in pairs(runs) do
    if run and run.changed then writeFields(run) end
  end
  flushGathered()
end

-- One by one.
local function applyApart(lists)
  local replies = {}
  for index = 1, #lists do
    local list = lists[index]
    local first, count = list.first, list.count
    list.count = 1
    for own = first, first + list.each * (count - 1), list.each do
      list.first = own
      local ok, alone = pcall(prepare, { list })
      if ok then
        finishWriting(alone.runs)
        replies[#replies + 1] = alone.replies[1]
      else
        replies[#replies + 1] = errorReply(alone)
      end
    end
  end
  return replies
end

return function(arguments)
  begin(arguments)
  local lists = readLists()
  local ok, group = pcall(prepare, lists)
  if not ok then return applyApart(lists) end
  finishWriting(group.runs)
  return group.replies
end
