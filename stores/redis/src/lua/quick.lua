-- The usual call, before anything else is set up: it charges one fixed window that has begun, and stays within its maximum.
-- What is not that has changed nothing here, and goes on below. Keys and arguments are those of `decide.lua`.

if #ARGV == 5 and #KEYS == 2 and ARGV[2] == '' then
  local taking, now = struct.unpack('>dd', ARGV[1])
  local sliding, _, _, by_hi, by_lo, max_hi, max_lo = struct.unpack('>ddddddd', ARGV[3])
  local value = taking == 1 and sliding == 0 and (by_hi > 0 or by_lo > 0) and redis.call('GET', KEYS[1])
  if value and #value == 32 then
    if now < 0 then
      local clock = redis.call('TIME')
      now = clock[1] * 1000 + (clock[2] - clock[2] % 1000) / 1000
    end
    local stamp, ends, hi, lo = struct.unpack('>dddd', value)
    local sum_hi, sum_lo = hi + by_hi, lo + by_lo
    if sum_lo >= 1000000000 then sum_hi, sum_lo = sum_hi + 1, sum_lo - 1000000000 end
    if now < ends and (sum_hi < max_hi or sum_hi == max_hi and sum_lo <= max_lo) then
      redis.call('SET', KEYS[1], struct.pack('>dddd', stamp, ends, sum_hi, sum_lo), 'KEEPTTL')
      return struct.pack('>dddddddd', 0, now, stamp, ends, hi, lo, 0, 0)
    end
  end
end
