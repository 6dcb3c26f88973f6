-- What declares a counter.
--
-- KEYS  the declarations
-- ARGV  the time, or -1 for the server's; the counter's id
-- Reply {the time; the declaration or ''}

local given = tonumber(ARGV[1])
local now = advance(read_clock(given), given, read_newest(KEYS[1]))
return { now, redis.call('HGET', KEYS[1], ARGV[2]) or '' }
