#!lua flags=allow-oom
-- The state of every breaker of the fleet, on Redis' clock. One script, so that a state is read and left in one moment.
--
-- KEYS: breakers (HASH name -> record, JSON), breakers seen (ZSET name by last use)
-- ARGV: channel, what, then by what:
--   touch, names…                                    they are in use: remembered; long unused ones are forgotten
--   trip, name, generation, cause, pause ms          a worker saw too many failures while it thought the breaker closed
--   begin, name, owner, pause ms, trial ms           may `owner` make a call that tests the way back?
--   end, name, owner, outcome, pause ms, trials, step   what became of it: success | failure | undecided; whose call it was
--   open | close, name                               by hand: stays open until closed by hand; a new name is refused
--                                                    (`full`) when as many are kept as may be
-- Reply: {Redis' clock in ms, record (JSON) or '', answer}
--
-- Record: { state: closed | open | half-open, since, generation, openUntil, trialAt, trials: { owner: deadline }, ramp,
--           passed, manual, cause, tried: { step: 't' | 'o' } }. `ramp`: how many trials may run at once after the probe has
-- succeeded. `tried`: steps whose trial has failed (t), and since then another's has succeeded (o): their fault is their own,
-- and what they do says nothing of the dependency. Each change of state is a new generation; what refers to an earlier one is out of date and changes nothing.
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local channel, what, name = ARGV[1], ARGV[2], ARGV[3]
local FORGET_AFTER_MS, MOST_BREAKERS, MAX_TRIED = 86400000, 10000, 200

local function load()
  local stored = call('HGET', KEYS[1], name)
  local ok, record = pcall(cjson.decode, stored or '')
  if not ok or type(record) ~= 'table' or type(record.generation) ~= 'number' then
    return { state = 'closed', since = now, generation = 0, trials = {} }
  end
  if type(record.trials) ~= 'table' then record.trials = {} end
  return record
end

local function isKept() return call('HEXISTS', KEYS[1], name) == 1 end

-- What a person opens is never forgotten: without a limit any name that somebody makes up would stay.
local function hasRoom() return isKept() or call('HLEN', KEYS[1]) < MOST_BREAKERS end

local function see() call('ZADD', KEYS[2], string.format('%.0f', now), name) end

local function save(record)
  local text = cjson.encode(record)
  call('HSET', KEYS[1], name, text)
  see()
  return text
end

-- A new state; everything that belonged to the last one is gone.
local function enter(record, state, change)
  change.state, change.since, change.trials = state, now, change.trials or {}
  change.generation = math.max(record.generation + 1, now)
  change.tried = record.tried
  -- How long it has been failing, over all tries to close it.
  if state ~= 'closed' then
    change.openedAt = record.state ~= 'closed' and record.openedAt or now
    change.cause = change.cause or record.cause
    change.trialAt = change.trialAt or record.trialAt
  end
  return change
end

local function announce(text) call('PUBLISH', channel, string.format('%.0f', now) .. '|' .. name .. '|' .. text) end

local function reply(record, answer, isNews)
  local text
  if isNews then
    text = save(record)
    announce(text)
  else
    text = cjson.encode(record)
  end
  return { string.format('%.0f', now), text, answer }
end

-- What time alone has changed: a trial that did not come back in time has failed; a ramp that nobody uses is over.
local function settleTime(record, pause)
  if record.state ~= 'half-open' then return record, false end
  local running, expired = 0, nil
  for _, deadline in pairs(record.trials) do
    if deadline <= now then expired = math.max(expired or 0, deadline) else running = running + 1 end
  end
  if expired then
    local at = math.max(expired, (record.trialAt or expired) + pause)
    return enter(record, 'open', { openUntil = at, cause = 'a trial call did not end in time' }), true
  end
  if running == 0 and record.ramp and now >= record.trialAt + pause then return enter(record, 'closed', {}), true end
  return record, false
end

local function countTrials(record)
  local count, first = 0, nil
  for _, deadline in pairs(record.trials) do
    count = count + 1
    first = math.min(first or deadline, deadline)
  end
  return count, first
end

-- Whether the step had failed before another succeeded.
local function noteFailure(record, step)
  local tried = record.tried or {}
  local isOwnFault = tried[step] == 'o'
  if tried[step] == nil then
    local count, any = 0, nil
    for each in pairs(tried) do count, any = count + 1, each end
    if count >= MAX_TRIED then tried[any] = nil end
    tried[step] = 't'
  end
  record.tried = tried
  return isOwnFault
end

local function noteSuccess(record, step)
  if not record.tried then return end
  record.tried[step] = nil
  for each in pairs(record.tried) do record.tried[each] = 'o' end
  if not next(record.tried) then record.tried = nil end
end

if what == 'touch' then
  for index = 3, #ARGV do
    name = ARGV[index]
    if isKept() then
      see()
    elseif hasRoom() then
      save({ state = 'closed', since = now, generation = now, trials = {} })
    end
  end
  local gone = call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - FORGET_AFTER_MS), 'LIMIT', 0, 100)
  for index = 1, #gone do
    name = gone[index]
    -- What a person opened stays until a person closes it.
    if load().manual then
      see()
    else
      call('HDEL', KEYS[1], name)
      call('ZREM', KEYS[2], name)
    end
  end
  return { string.format('%.0f', now), '', 'seen' }
end

local record = load()

if what == 'trip' then
  local generation, cause, pause = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
  -- Somebody has opened it before, or it has been closed since: this worker has not heard of that yet.
  if record.state ~= 'closed' or (record.generation ~= 0 and record.generation ~= generation and generation ~= 0) then
    return reply(record, 'stale', false)
  end
  -- The worker then goes by what it has seen itself, as without Redis.
  if not hasRoom() then return reply(record, 'stale', false) end
  return reply(enter(record, 'open', { openUntil = now + pause, cause = cause }), 'opened', true)
end

if what == 'begin' then
  local owner, pause, trial = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
  local changed
  record, changed = settleTime(record, pause)
  if record.state == 'closed' then return reply(record, 'go', changed) end
  if record.manual then return reply(record, 'wait', changed) end
  if record.trials[owner] then return reply(record, 'trial', changed) end
  if record.state == 'open' then
    if now < record.openUntil then return reply(record, 'wait', changed) end
    local trials = { [owner] = now + trial }
    return reply(enter(record, 'half-open', { trials = trials, trialAt = now, openUntil = now + pause }), 'trial', true)
  end
  if countTrials(record) >= (record.ramp or 1) then return reply(record, 'wait', changed) end
  record.trials[owner] = now + trial
  record.trialAt, record.openUntil = now, now + pause
  return reply(record, 'trial', true)
end

if what == 'end' then
  local owner, outcome, pause, ramp, step = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
  local changed
  record, changed = settleTime(record, pause)
  -- Its time was over, or the breaker has been opened or closed by hand since.
  if record.state ~= 'half-open' or not record.trials[owner] then return reply(record, 'stale', changed) end
  record.trials[owner] = nil
  if outcome == 'success' then noteSuccess(record, step) end
  local answer
  if outcome == 'failure' then
    if noteFailure(record, step) then
      outcome, answer = 'undecided', 'blamed'
    elseif record.ramp then
      answer = 'blamed'
    end
  end
  if outcome == 'failure' then
    return reply(enter(record, 'open', { openUntil = now + pause, cause = 'a trial call failed' }), answer or 'opened', true)
  end
  if outcome == 'undecided' then
    -- A probe that says nothing of the dependency: the next one may begin when its turn would have been.
    if not record.ramp then
      return reply(enter(record, 'open', { openUntil = math.max(now, record.trialAt + pause) }), answer or 'opened', true)
    end
    return reply(record, answer or 'noted', true)
  end
  if not record.ramp then
    record.ramp, record.passed = ramp, 0
    return reply(record, 'noted', true)
  end
  record.passed = record.passed + 1
  if record.passed >= record.ramp then return reply(enter(record, 'closed', {}), 'closed', true) end
  return reply(record, 'noted', true)
end

if what == 'open' then
  if record.manual then return reply(record, 'opened', false) end
  if not hasRoom() then return reply(record, 'full', false) end
  return reply(enter(record, 'open', { manual = true, cause = 'opened by hand' }), 'opened', true)
end

if what == 'close' then
  -- Nobody has used it: there is nothing to close, and nothing is kept of the name.
  if not isKept() then return reply(record, 'closed', false) end
  if record.state == 'closed' and record.generation ~= 0 then return reply(record, 'closed', false) end
  return reply(enter(record, 'closed', {}), 'closed', true)
end

return redis.error_reply('ERR fleet-breakers does not know ' .. tostring(what))
