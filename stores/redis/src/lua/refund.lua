-- Takes charges back, each only from the window that was charged.
--
-- KEYS  one for each refund
-- ARGV  (the time, or -1 for the server's); for each refund (1 if it slides, the stamp, the amount hi lo)
-- Reply `refunded`
-- What is in parentheses is doubles in one string.

local now = read_clock(struct.unpack('>d', ARGV[1]))

local function refund_fixed(key, stamp, by_hi, by_lo)
  local start, ends, hi, lo = read_fixed(key)
  if start ~= stamp or now >= ends then return end
  hi, lo = subtract(hi, lo, by_hi, by_lo)
  write_fixed(key, start, ends, hi, lo, 'KEEPTTL')
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

for n, key in ipairs(KEYS) do
  local sliding, stamp, hi, lo = struct.unpack('>dddd', ARGV[n + 1])
  if hi > 0 or lo > 0 then
    local refund = sliding == 1 and refund_sliding or refund_fixed
    refund(key, stamp, hi, lo)
  end
end
return 'refunded'
