-- Makes a counter hold nothing. What is charged after it has another stamp than what was charged before, so that a refund
-- of the latter finds nothing.
--
-- KEYS  the counter
-- ARGV  the time, or -1 for the server's; start and end of the window that its key names, or 0 0
-- Reply 1 if it held something, else 0

local key, now, start, ends = KEYS[1], read_clock(tonumber(ARGV[1])), tonumber(ARGV[2]), tonumber(ARGV[3])
local kind = redis.call('TYPE', key).ok
if not held(key, kind, now) then return 0 end
if kind == 'string' then
  local stamp = read_fixed(key, start)
  write_fixed(key, start, math.min(stamp + 1, ends - 1), 0, 0, 'KEEPTTL')
else
  local head = read_head(key)
  local newest = math.max(now, head.newest) + 1
  redis.call('DEL', key)
  write_head(key, nil, newest, head.length, 0, 0)
  redis.call('PEXPIRE', key, newest + head.length - now + GRACE)
end
return 1
