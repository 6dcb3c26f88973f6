-- Shows counters that hold something, some of them in each call.
--
-- KEYS  the declarations: they name the node; the counters that are found there lie in the same slot
-- ARGV  the time, or -1 for the server's; the cursor, the pattern of keys, about how many to look at; where a key has the id
-- Reply {the next cursor; the time; how many keys cannot be read; for each counter {key, resets at or -1 for the end of its
--       key's window, hi, lo, declaration or ''}}

local given, at = tonumber(ARGV[1]), tonumber(ARGV[5])
local now = advance(read_clock(given), given, read_newest(KEYS[1]))
local page = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', ARGV[4])
local reply = { page[1], now, 0 }

local function read(key)
  return held(key, redis.call('TYPE', key).ok, string.sub(key, at - 2, at - 2) == 'z', now)
end

for _, key in ipairs(page[2]) do
  local readable, ends, hi, lo = pcall(read, key)
  if not readable then
    reply[3] = reply[3] + 1
  elseif ends then
    local declaration = redis.call('HGET', KEYS[1], string.sub(key, at, at + 31))
    reply[#reply + 1] = { key, ends, hi, lo, declaration or '' }
  end
end
return reply
