-- Takes charges back, each only from the window that was charged.
--
-- KEYS  one for each refund; the declarations
-- ARGV  (the time, or -1 for the server's, 1 if a caller's time is noted, for how long declarations are kept); for each refund
--       (1 if it slides, the stamp, the amount hi lo, start and end of the window that its key names or 0 0)
-- Reply `refunded`
-- What is in parentheses is doubles in one string.

-- A server without memory lets a script write if its first write frees memory. Nothing that is given back needs any, so this is
-- the first write, and deletes nothing: no counter has this key.
redis.call('DEL', string.sub(KEYS[#KEYS], 1, -2) .. 'f:')

local given, ticks, declared_for = struct.unpack('>ddd', ARGV[1])
local now, declarations = read_clock(given), KEYS[#KEYS]
if given >= 0 then
  now = advance(now, given, read_newest(declarations))
  if ticks == 1 then write_newest(declarations, now, declared_for) end
end

local function refund_fixed(key, stamp, by_hi, by_lo, start, ends)
  local stored, hi, lo = read_fixed(key, start)
  if stored ~= stamp or now >= ends then return end
  hi, lo = subtract(hi, lo, by_hi, by_lo)
  write_fixed(key, start, stamp, hi, lo, 'KEEPTTL')
end

local function refund_sliding(key, stamp, by_hi, by_lo)
  local head = read_head(key)
  if not head or stamp <= math.max(now, head.newest) - head.length then return end
  local member = redis.call('ZRANGEBYSCORE', key, stamp, stamp)[1]
  if not member then return end
  local at, hi, lo = read_charge(member)
  if at_most(hi, lo, by_hi, by_lo) then by_hi, by_lo = hi, lo end
  hi, lo = subtract(hi, lo, by_hi, by_lo)
  if hi > 0 or lo > 0 then write_charge(key, at, hi, lo) end
  redis.call('ZREM', key, member)
  hi, lo = subtract(head.hi, head.lo, by_hi, by_lo)
  write_head(key, head, head.newest, head.length, hi, lo)
end

for n = 1, #KEYS - 1 do
  local sliding, stamp, hi, lo, start, ends = struct.unpack('>dddddd', ARGV[n + 1])
  if hi > 0 or lo > 0 then
    local refund = sliding == 1 and refund_sliding or refund_fixed
    refund(KEYS[n], stamp, hi, lo, start, ends)
  end
end
return 'refunded'
