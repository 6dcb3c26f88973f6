-- Charges fixed windows that have begun, if all have and stay within their maxima. What is not that has changed nothing here.
--
-- Before it  `usual`, how many slots to charge; `first`, what the first one holds if it is charged already; `whole`, whether
--       `decide.lua` comes after it
-- KEYS  as `keys`: one for each slot
-- ARGV  as `limits`: for each slot the maximum; for each slot the charge, or none where every one is a unit
-- Reply what each slot holds with the charge, as a list of numbers
--       (5, the time in seconds and microseconds; for each slot: what it holds) where it is refused
--       (4, the time likewise) where a window has not begun, or is stored as what only `decide.lua` knows: nothing was decided
-- What is in parentheses is doubles in one string.
--
-- A key names its window and ends with it, so a key that is there says that its window has begun and has not ended, and the
-- amount is all that there is to ask for. A sum beyond 2^53 may be rounded, but not to one that is within the maximum. The
-- maximum 2^53 - 1 stands for all that are higher, so that only `decide.lua` refuses by it.

local sums, fits, begun = {}, true, usual > 0
for n = 1, usual do
  local charge, by = limits[usual + n], 1000000
  if charge then by = charge + 0 else charge = '1000000' end
  local sum = first or redis.pcall('INCRBY', keys[n], charge)
  -- An error is a table: the counter is stored as three numbers, or the command may not be run.
  begun = type(sum) == 'number'
  if begun and sum == by then
    -- There was no key, or one that holds nothing, and that one ends.
    local life = redis.pcall('PTTL', keys[n])
    begun = type(life) == 'number' and life >= 0
    if not begun then redis.call('DEL', keys[n]) end
  end
  if not begun then break end
  sums[n], fits = sum, fits and sum <= limits[n] + 0
end
if begun and fits then return sums end
for n = 1, #sums do
  sums[n] = redis.call('DECRBY', keys[n], limits[usual + n] or '1000000')
  begun = begun and limits[n] ~= '9007199254740991'
end
if begun or not whole then
  local clock = redis.call('TIME')
  if not begun then return struct.pack('>ddd', 4, clock[1], clock[2]) end
  return struct.pack('>ddd' .. string.rep('d', usual), 5, clock[1], clock[2], unpack(sums))
end
