-- Counters as they are stored, format 2. Times are milliseconds since the epoch.
--
-- A fixed window has a key of its own, which names its start and ends with it. It is a string: what the window holds, in
-- digits, while that is below 2^53 and nobody has reset it. Else it is the doubles (stamp, hi, lo), the highest byte first:
-- when the window started, a millisecond later for each time that it was reset, so that a refund of what was charged before
-- finds nothing; and what it holds.
--
-- A window that does not end is such a window, which ends at NEVER, and its key has no time to live.
--
-- A window of a time zone has a key without a start, because callers may compute different ones. It is the doubles (stamp, ends,
-- hi, lo). It ends when its value says, and nobody begins the next one before. Its key outlives that by OUTLIVES: a caller that
-- computes a later end finds there when its next window begins.
--
-- A sliding window is a sorted set. Its members are charges, (at, hi, lo) with the score `at`, and the head, (newest, length,
-- hi, lo) with an infinite score: the newest time at which it was charged, for how long a charge is live, and the sum of all
-- charges in the set, expired ones included. Its key outlives what it holds by GRACE. A charge that counts from the end of a quarter
-- of an hour is in the set before its time. After a reset the later charges of that quarter count from a millisecond after it, and what
-- tells so is a charge of nothing.
--
-- An approval that was used is a string: how many batches it let through, in digits.
--
-- The declarations are a hash, and so is with them, as `time`, the latest time at which a fixed window was begun. Where it has `ever`,
-- a window that does not end was begun, and they are kept.

local GRACE = 60000
-- A day and an hour: no two releases of the rules of a time zone differ by more over when a day begins.
local OUTLIVES = 90000000
-- The latest time that there is.
local NEVER = 253402300799999
-- As long as a key may live: some 28,000 years.
local FOR_EVER = 900000000000000
-- The first sum in units of 10^9 that digits do not stand for.
local DIGITS = 9007199

-- The time: what the caller gives, or the server's clock if that is negative.
local function read_clock(given)
  if given >= 0 then return given end
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end

-- The latest time that was decided at.
local function read_newest(declarations)
  return tonumber(redis.call('HGET', declarations, 'time') or 0)
end

-- A user who may run what was needed before there were windows without an end may not remove a time to live.
local function keep_declarations(declarations, declared_for)
  redis.call('PEXPIRE', declarations, redis.call('HGET', declarations, 'ever') and FOR_EVER or declared_for)
end

local function write_newest(declarations, time, declared_for)
  redis.call('HSET', declarations, 'time', string.format('%.0f', time))
  keep_declarations(declarations, declared_for)
end

-- Time does not run back. The server's clock is believed after a step of more than GRACE: it was set right.
local function advance(now, given, newest)
  if newest > now and (given >= 0 or newest - now <= GRACE) then return newest end
  return now
end

-- How many batches an approval has let through.
local function uses_of(approval)
  local value = redis.call('GET', approval)
  if not value then return 0 end
  return tonumber(value) or error('not a count of format 2')
end

local function write_uses(approval, uses, kept_for)
  redis.call('SET', approval, string.format('%.0f', uses), 'PX', kept_for)
end

local function read_four(value)
  -- What cannot be read must not pass for a counter that holds nothing.
  if #value ~= 32 then error('not a counter of format 2') end
  return struct.unpack('>dddd', value)
end

-- A fixed window that began at `start`: stamp, hi, lo; nothing if it is not stored.
local function read_fixed(key, start)
  local value = redis.call('GET', key)
  if not value then return nil end
  if #value == 24 then return struct.unpack('>ddd', value) end
  if #value > 16 or not string.find(value, '^%d+$') then error('not a counter of format 2') end
  local sum = tonumber(value)
  return start, math.floor(sum / BASE), sum % BASE
end

local function write_fixed(key, start, stamp, hi, lo, ...)
  local value
  if stamp == start and hi < DIGITS then
    value = string.format('%.0f', hi * BASE + lo)
  else
    value = struct.pack('>ddd', stamp, hi, lo)
  end
  redis.call('SET', key, value, ...)
end

-- A window of a time zone: stamp, ends, hi, lo; nothing if none is stored.
local function read_zoned(key)
  local value = redis.call('GET', key)
  if value then return read_four(value) end
end

local function write_zoned(key, stamp, ends, hi, lo, ...)
  redis.call('SET', key, struct.pack('>dddd', stamp, ends, hi, lo), ...)
end

-- When a charge counts from that is made at `time`: the end of a quarter of an hour, in a window that has such quarters.
local function charged_at(time, quarter)
  return quarter > 0 and time - time % quarter + quarter or time
end

-- A charge of a sliding window: at, hi, lo.
local function read_charge(member)
  if #member ~= 24 then error('not a charge of format 2') end
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

-- What a counter of any kind holds: when it will hold nothing or -1 for the end of the window that its key names, hi, lo;
-- nothing if it holds nothing.
local function held(key, kind, is_zoned, now)
  if kind == 'string' then
    local ends, hi, lo, _ = -1
    if is_zoned then
      _, ends, hi, lo = read_zoned(key)
      if ends <= now then return nil end
    else
      _, hi, lo = read_fixed(key, -1)
    end
    if hi > 0 or lo > 0 then return ends, hi, lo end
  elseif kind == 'zset' then
    local head, last = read_head(key)
    local hi, lo = live_sum(key, head, last, math.max(now, head.newest))
    if hi > 0 or lo > 0 then
      local at = read_charge(last)
      return at + head.length, hi, lo
    end
  end
end
