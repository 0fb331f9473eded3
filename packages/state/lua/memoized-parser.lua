-- Texts that come again and again are taken apart once.

-- Keeps what `take` makes of a text, for steps of one shape have the same. Nobody may change what it returns.
local MOST_CHARACTERS_KEPT = 200000
local function memoizedParser(take)
  local kept, characters = {}, 0
  return function(text)
    local found = kept[text]
    if found then return found end
    found = take(text)
    characters = characters + #text
    if characters > MOST_CHARACTERS_KEPT then kept, characters = {}, #text end
    kept[text] = found
    return found
  end
end
