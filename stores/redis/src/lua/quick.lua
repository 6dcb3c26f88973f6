-- Decides the usual batch: charges fixed windows that have begun, if all have and stay within their maxima. Where that is not so,
-- it has changed nothing, and `decide.lua` goes on. It comes before all functions, because setting those up costs as much.
--
-- KEYS  one for each slot, and those of `decide.lua`
-- ARGV  for each slot the maximum; for each slot the charge; the string of `decide.lua`, which begins with (how many slots may be
--       charged here, or 0)
-- Reply what each slot holds with the charge, as a list of numbers
--       (5, the time in seconds and microseconds; for each slot: what it holds) where it is refused
-- What is in parentheses is doubles in one string.
--
-- A key names its window and ends with it, so a key that is there says that its window has begun and has not ended, and the
-- amount is all that there is to ask for. A sum beyond 2^53 may be rounded, but not to one that is within the maximum. The
-- maximum 2^53 - 1 stands for all that are higher, so that only `decide.lua` refuses by it.

local arg = ARGV[#ARGV]
local usual = struct.unpack('>d', arg)
local sums, fits, begun = {}, true, usual > 0
for n = 1, usual do
  local charge = ARGV[usual + n]
  local sum = redis.pcall('INCRBY', KEYS[n], charge)
  -- An error is a table: the counter is stored as three numbers, or the command may not be run.
  begun = type(sum) == 'number'
  if begun and sum == charge + 0 then
    -- There was no key, or one that holds nothing, and that one ends.
    local life = redis.pcall('PTTL', KEYS[n])
    begun = type(life) == 'number' and life >= 0
    if not begun then redis.call('DEL', KEYS[n]) end
  end
  if not begun then break end
  sums[n], fits = sum, fits and sum <= ARGV[n] + 0
end
if begun and fits then return sums end
for n = 1, #sums do
  sums[n] = redis.call('DECRBY', KEYS[n], ARGV[usual + n])
  begun = begun and ARGV[n] ~= '9007199254740991'
end
if begun then
  local clock = redis.call('TIME')
  return struct.pack('>ddd' .. string.rep('d', usual), 5, clock[1], clock[2], unpack(sums))
end
