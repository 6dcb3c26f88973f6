-- The usual call, before anything else is set up: it charges fixed windows that have begun, and stays within their maxima; or
-- there is one, and it would not.
-- What is not that has changed nothing here, and goes on below. Keys and arguments are those of `decide.lua`.
--
-- A key names its window and ends with it, so a key that is there says that its window has begun and has not ended, and the
-- amount is all that there is to ask for. A sum beyond 2^53 may be rounded, but not to one that is within the maximum.
--
-- Written out for one counter, and without functions: setting up a function, a table or a string costs about as much as a
-- step of the decision, and a command as much as ten.

local arg = ARGV[1]
local usual, max, by = struct.unpack('>ddd', arg)
if usual == 1 then
  local sum = redis.pcall('INCRBY', KEYS[1], ARGV[2])
  -- An error is a table: the counter is stored as three numbers.
  if type(sum) == 'number' then
    if sum > by and sum <= max then return sum end
    if sum == by then
      redis.call('DEL', KEYS[1])
    else
      redis.call('DECRBY', KEYS[1], ARGV[2])
      if sum < 2 ^ 53 then
        -- Refused, and the reply is the one of `decide.lua`. The window stands in the only slot's terms: behind the 10 numbers
        -- of both heads and the charge, the maximum and the kind of that slot.
        local start, ends = struct.unpack('>dd', arg, 121)
        local clock, held = redis.call('TIME'), sum - by
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        return struct.pack('>dddddddd', 1, now, start, ends, math.floor(held / 1000000000), held % 1000000000, 0, 0)
      end
    end
  end
elseif usual > 1 then
  local sums, fits = {}, true
  for n = 1, usual do
    sums[n] = redis.pcall('INCRBY', KEYS[n], ARGV[n + 1])
    max, by = struct.unpack('>dd', arg, 16 * n - 7)
    fits = type(sums[n]) == 'number' and sums[n] > by and sums[n] <= max
    if not fits then break end
  end
  if fits then return sums end
  for n, sum in ipairs(sums) do
    if type(sum) == 'number' then
      by = struct.unpack('>d', arg, 16 * n + 1)
      if sum == by then redis.call('DEL', KEYS[n]) else redis.call('DECRBY', KEYS[n], ARGV[n + 1]) end
    end
  end
end
