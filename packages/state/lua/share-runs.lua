-- What claims and commits have in common. They work on runs that the whole group shares: what they will look at is wanted
-- first (WANT), read with one call a run, changed in memory, and written with one call a run.
local WANT = {}

local function parentOf(key)
  return find(key, '.', 1, true) and match(key, '^(%d+)%.')
end

local listOf = takenApart(function(text)
  local list = {}
  for key in string.gmatch(text, '[^,]+') do list[#list + 1] = key end
  return list
end)

local function wantSources(run, text)
  if text == '' then return end
  local list = listOf(text)
  for index = 1, #list do
    want(run, 's' .. list[index])
    want(run, 'o' .. list[index])
  end
end

-- Puts the run's input, a map item and the sources behind a reply; what nobody asked for is left out.
local function withValues(reply, run, wantsInput, item, sources)
  if not wantsInput and not item and sources == '' then return reply end
  reply[2] = wantsInput and stored(run, 'i') or ''
  reply[3] = item or ''
  local list = listOf(sources)
  for index = 1, #list do
    reply[#reply + 1] = stored(run, 's' .. list[index]) or ''
    reply[#reply + 1] = stored(run, 'o' .. list[index]) or ''
  end
  return reply
end

-- Keeps a step of a paused run for its resumption.
local function hold(run, key)
  run.held = run.held or { 'SADD', run.tag .. K.paused .. run.id }
  run.held[#run.held + 1] = key
end

-- Written once, after all transitions of the group.
writeRun = function(run) run.changed = true end
