-- needs: call
-- Step headers: parts joined by '|'; the first is the state (see state/src/step-header.ts). Fourteen parts at most.
local HEADER = '^(%a)' .. string.rep('|?([^|]*)', 12) .. '$'
local function parts(header) return { match(header, HEADER) } end
