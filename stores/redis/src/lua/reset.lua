-- Makes a counter hold nothing. What is charged after it has another stamp than what was charged before, so that a refund
-- of the latter finds nothing.
--
-- KEYS  the counter
-- ARGV  the time, or -1 for the server's; 1 if it is a window of a time zone, else 0; start and end of the window that its key names
-- Reply 1 if it held something, else 0

local key, now, is_zoned, start, ends =
  KEYS[1], read_clock(tonumber(ARGV[1])), ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local kind = redis.call('TYPE', key).ok
if not held(key, kind, is_zoned, now) then return 0 end
if is_zoned then
  local stamp, stored_end = read_zoned(key)
  write_zoned(key, math.min(stamp + 1, stored_end - 1), stored_end, 0, 0, 'KEEPTTL')
elseif kind == 'string' then
  local stamp = read_fixed(key, start)
  write_fixed(key, start, math.min(stamp + 1, ends - 1), 0, 0, 'KEEPTTL')
else
  local head, last = read_head(key)
  local newest, charged = math.max(now, head.newest) + 1, read_charge(last)
  redis.call('DEL', key)
  write_head(key, nil, newest, head.length, 0, 0)
  if charged >= newest then
    charged = charged + 1
    write_charge(key, charged, 0, 0)
  end
  redis.call('PEXPIRE', key, math.max(newest, charged) + head.length - now + GRACE)
end
return 1
