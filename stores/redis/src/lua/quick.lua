-- The usual call, before anything else is set up: it charges fixed windows that have begun, and stays within their maxima.
-- What is not that has changed nothing here, and goes on below. Keys and argument are those of `decide.lua`.
--
-- Written out for one counter, and without functions: setting up a function, a table or a string costs about as much as a
-- step of the decision, and a command as much as ten. So the time is not asked for where the time to live tells it: a key
-- lives for 60000 ms (GRACE) after its window, by the same clock.

local usual, given, by_hi, by_lo, max_hi, max_lo = struct.unpack('>dddddd', ARGV[1])
if usual == 1 then
  local key = KEYS[1]
  local value = redis.call('GET', key)
  if value and #value == 32 then
    local ends, hi, lo = struct.unpack('>ddd', value, 9)
    hi, lo = hi + by_hi, lo + by_lo
    if lo >= 1000000000 then hi, lo = hi + 1, lo - 1000000000 end
    if hi < max_hi or hi == max_hi and lo <= max_lo then
      local now = given
      if now < 0 then now = ends + 60000 - redis.call('PTTL', key) end
      if now < ends then
        redis.call('SETRANGE', key, '16', struct.pack('>dd', hi, lo))
        return value .. struct.pack('>d', now)
      end
    end
  end
elseif usual > 1 then
  local arg, now, time, fits = ARGV[1], given, given, true
  local values, sums = redis.call('MGET', unpack(KEYS, 1, usual)), {}
  for n = 1, usual do
    local value = values[n]
    if not value or #value ~= 32 then fits = false break end
    local stamp, ends, hi, lo = struct.unpack('>dddd', value)
    by_hi, by_lo, max_hi, max_lo = struct.unpack('>dddd', arg, 72 * n - 55)
    hi, lo = hi + by_hi, lo + by_lo
    if lo >= 1000000000 then hi, lo = hi + 1, lo - 1000000000 end
    if hi > max_hi or hi == max_hi and lo > max_lo then fits = false break end
    if now < 0 then now = ends + 60000 - redis.call('PTTL', KEYS[1]) end
    -- No counter goes back behind its newest window, and the others not behind that.
    time = math.max(time, now, stamp)
    sums[n] = struct.pack('>dd', hi, lo)
  end
  if fits then
    for n = 1, usual do
      if time >= struct.unpack('>d', values[n], 9) then fits = false break end
    end
  end
  if fits then
    for n = 1, usual do redis.call('SETRANGE', KEYS[n], '16', sums[n]) end
    values[usual + 1] = struct.pack('>d', now)
    return table.concat(values)
  end
end
