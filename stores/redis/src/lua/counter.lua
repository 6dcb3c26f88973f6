-- Counters as they are stored, format 1. Every number is a double of 8 bytes, the highest first; times are milliseconds
-- since the epoch.
--
-- A fixed window is a string, (stamp, ends, hi, lo): when the window started (a millisecond later for each time that it was
-- reset, so that a refund of what was charged before finds nothing), when it ends, and what it holds.
--
-- A sliding window is a sorted set. Its members are charges, (at, hi, lo) with the score `at`, and the head, (newest, length,
-- hi, lo) with an infinite score: the newest time at which it was charged, for how long a charge is live, and the sum of all
-- charges in the set, expired ones included.
--
-- A key outlives what it holds by GRACE: time does not run back for a counter while its key is there.

local GRACE = 60000
local DAY = 86400000

-- The time: what the caller gives, or the server's clock if that is negative.
local function read_clock(given)
  if given >= 0 then return given end
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end

-- The first moment of the UTC month. Years are counted from March, so that a leap day is the last of its year.
local function month_start(time)
  local floor = math.floor
  local day = floor(time / DAY)
  local of_era = (day + 719468) % 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * of_year + 2) / 153)
  return (day - of_year + floor((153 * month + 2) / 5)) * DAY
end

-- Start and end of the fixed window that holds `time`. `length` is 0 for a month; windows begin at multiples of any other
-- length from `offset`, and never before the epoch.
local function window_at(time, length, offset)
  if length == 0 then
    local start = month_start(time)
    -- The 32nd day from the first of a month lies in the next one.
    return start, month_start(start + 31 * DAY)
  end
  local start = time - (time - offset) % length
  return math.max(start, 0), start + length
end

local function read_four(value)
  -- What cannot be read must not pass for a counter that holds nothing.
  if #value ~= 32 then error('not a counter of format 1') end
  return struct.unpack('>dddd', value)
end

-- A fixed window as it is stored: stamp, ends, hi, lo; nothing if it is not.
local function read_fixed(key)
  local value = redis.call('GET', key)
  if value then return read_four(value) end
end

local function write_fixed(key, stamp, ends, hi, lo, ...)
  redis.call('SET', key, struct.pack('>dddd', stamp, ends, hi, lo), ...)
end

-- A charge of a sliding window: at, hi, lo.
local function read_charge(member)
  if #member ~= 24 then error('not a charge of format 1') end
  return struct.unpack('>ddd', member)
end

local function write_charge(key, at, hi, lo)
  redis.call('ZADD', key, at, struct.pack('>ddd', at, hi, lo))
end

-- The head of a sliding window, and the member of the newest charge; nothing if it is not stored.
local function read_head(key)
  local tail = redis.call('ZRANGE', key, -2, -1)
  local member = tail[#tail]
  if not member then return nil end
  local newest, length, hi, lo = read_four(member)
  local head = { member = member, newest = newest, length = length, hi = hi, lo = lo }
  return head, #tail == 2 and tail[1] or nil
end

-- Puts another head in the place of `head`. The set is never empty meanwhile, so it keeps its time to live.
local function write_head(key, head, newest, length, hi, lo)
  local member = struct.pack('>dddd', newest, length, hi, lo)
  if head and head.member == member then return end
  redis.call('ZADD', key, 'inf', member)
  if head then redis.call('ZREM', key, head.member) end
end

-- What a sliding window holds at `time`: hi, lo, and how many of its charges have expired.
local function live_sum(key, head, last, time)
  local cut = time - head.length
  if not last or read_charge(last) <= cut then return 0, 0, redis.call('ZCARD', key) - 1 end
  local hi, lo = head.hi, head.lo
  local expired = redis.call('ZRANGEBYSCORE', key, '-inf', cut)
  for _, member in ipairs(expired) do
    local _, by_hi, by_lo = read_charge(member)
    hi, lo = subtract(hi, lo, by_hi, by_lo)
  end
  return hi, lo, #expired
end

-- What a counter of either kind holds: when it will hold nothing, hi, lo; nothing if it holds nothing.
local function held(key, kind, now)
  if kind == 'string' then
    local _, ends, hi, lo = read_fixed(key)
    if now < ends and (hi > 0 or lo > 0) then return ends, hi, lo end
  elseif kind == 'zset' then
    local head, last = read_head(key)
    local hi, lo = live_sum(key, head, last, math.max(now, head.newest))
    if hi > 0 or lo > 0 then
      local at = read_charge(last)
      return at + head.length, hi, lo
    end
  end
end
