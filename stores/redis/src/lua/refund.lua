-- Takes charges back, each only from the window that was charged.
--
-- KEYS  one for each refund
-- ARGV  the time, or '' for the server's; for each refund: `fixed` or `sliding`; the stamp; the amount (hi lo)
-- Reply `refunded`

local now = read_clock(ARGV[1])

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
  if hi > 0 or lo > 0 then redis.call('ZADD', key, at, string.format(THREE, at, hi, lo)) end
  redis.call('ZREM', key, member)
  hi, lo = subtract(head.hi, head.lo, by_hi, by_lo)
  write_head(key, head, head.newest, head.length, hi, lo)
end

for n, key in ipairs(KEYS) do
  local argument = 4 * n - 2
  local stamp, hi, lo = tonumber(ARGV[argument + 1]), tonumber(ARGV[argument + 2]), tonumber(ARGV[argument + 3])
  if hi > 0 or lo > 0 then
    if ARGV[argument] == 'sliding' then
      refund_sliding(key, stamp, hi, lo)
    else
      refund_fixed(key, stamp, hi, lo)
    end
  end
end
return 'refunded'
