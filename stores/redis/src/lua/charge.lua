-- The usual call: charges fixed windows that the caller has seen begin. Goes on in `quick.lua`.
--
-- KEYS  one for each slot
-- ARGV  for each slot the maximum; for each slot the charge, unless every one is a unit: in digits, and below 2^53
-- Reply what the slot holds with the charge, if there is one slot and it was charged; else that of `quick.lua`.
--
-- Written out for one slot: setting up a function, a table or a string costs about as much as a step of the decision, each
-- argument as much as three, a command as much as ten.

local keys, limits, first = KEYS, ARGV, nil
if not keys[2] then
  local charge, by = limits[2], 1000000
  if charge then by = charge + 0 else charge = '1000000' end
  first = redis.pcall('INCRBY', keys[1], charge)
  -- An error is a table. What equals the charge may have had no key.
  if type(first) == 'number' and first > by then
    if first <= limits[1] + 0 then return first end
    if limits[1] ~= '9007199254740991' then
      local held, clock = redis.call('DECRBY', keys[1], charge), redis.call('TIME')
      return struct.pack('>dddd', 5, clock[1], clock[2], held)
    end
  end
end
local usual, whole = #keys, false
