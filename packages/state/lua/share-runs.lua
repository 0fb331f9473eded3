-- needs: memoized-parser, run
-- What claims and commits have in common. They work on runs that the whole group shares: what a list of them will look at is
-- wanted first (WANT; told where the own arguments of its first and of its last one stand), read with one call a run, changed
-- in memory, and written with one call a run. What transitions of a list have in common is taken out of the arguments once
-- (LIST): that answers where their own ones begin, and how many each has. All of a list are map items, or none is.
local LIST, WANT = {}, {}

local listOf = memoizedParser(function(text)
  local list = {}
  for key in string.gmatch(text, '[^,]+') do list[#list + 1] = key end
  return list
end)

local function wantSources(run, sources)
  for index = 1, #sources do
    want(run, PREFIX.header .. sources[index])
    want(run, PREFIX.output .. sources[index])
  end
end

-- Puts the run's input, a map item and the sources behind a reply; what nobody asked for is left out.
local function withValues(reply, run, list, item)
  local sources = list.sources
  if not list.wantsInput and not item and #sources == 0 then return reply end
  reply[2] = list.wantsInput and stored(run, FIELD.input) or ''
  reply[3] = item or ''
  for index = 1, #sources do
    reply[#reply + 1] = stored(run, PREFIX.header .. sources[index]) or ''
    reply[#reply + 1] = stored(run, PREFIX.output .. sources[index]) or ''
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
