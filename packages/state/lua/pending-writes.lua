-- needs: call
-- What all transitions of a call write to sorted sets, outboxes and channels.
--
-- Invariant: it is gathered and written once, after the last transition, outside any pcall: it happens if and only if the
-- transitions' own writes did, in the same atomic script.

local sortedSets, outboxes, messages
local function resetPendingWrites()
  sortedSets = {}   -- key -> member -> score | false
  outboxes = {}     -- tag -> list of entries
  messages = {}     -- list of {channel, text}
end

-- `score`: a number, or its text where many have the same.
local function schedule(key, member, score)
  local set = sortedSets[key]
  if not set then set = {} sortedSets[key] = set end
  set[member] = score
end

local function unschedule(key, member) schedule(key, member, false) end

local function send(tag, entry)
  local list = outboxes[tag]
  if not list then list = {} outboxes[tag] = list end
  list[#list + 1] = entry
end

local function announce(channel, text) messages[#messages + 1] = { NAMESPACE .. channel, text } end

-- Calls `change` with gathered writes of its own: they join the others when it succeeds and are forgotten when it fails,
-- as on a run with damaged fields. Returns what `pcall` does.
local function withSeparateWrites(change, ...)
  local outerSets, outerOutboxes, outerMessages = sortedSets, outboxes, messages
  resetPendingWrites()
  local ok, reply = pcall(change, ...)
  local ownSets, ownOutboxes, ownMessages = sortedSets, outboxes, messages
  sortedSets, outboxes, messages = outerSets, outerOutboxes, outerMessages
  if ok then
    for key, members in pairs(ownSets) do
      for member, score in pairs(members) do schedule(key, member, score) end
    end
    for tag, list in pairs(ownOutboxes) do
      for index = 1, #list do send(tag, list[index]) end
    end
    for index = 1, #ownMessages do messages[#messages + 1] = ownMessages[index] end
  end
  return ok, reply
end

local function flushGathered()
  for key, members in pairs(sortedSets) do
    local add, remove
    for member, score in pairs(members) do
      if score then
        add = add or { 'ZADD', key, nil, nil, nil, nil }
        add[#add + 1] = type(score) == 'string' and score or integer(score)
        add[#add + 1] = member
        if #add > 2000 then call(unpack(add)) add = nil end
      else
        remove = remove or { 'ZREM', key, nil, nil, nil, nil }
        remove[#remove + 1] = member
        if #remove > 2000 then call(unpack(remove)) remove = nil end
      end
    end
    if add then call(unpack(add)) end
    if remove then call(unpack(remove)) end
  end
  for tag, list in pairs(outboxes) do
    call('XADD', tag .. K.outbox, '*', OUTBOX.field, table.concat(list, '\n'))
  end
  for index = 1, #messages do call('PUBLISH', messages[index][1], messages[index][2]) end
end
