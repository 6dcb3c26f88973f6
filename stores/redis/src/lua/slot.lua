-- Slots: what one batch or settlement does to one counter for one scope value.
--
-- In: its key, what the caller knows of its window, and what is added. Out: how it stands at the time that all of them are decided at,
-- and the charge. Must not judge: a charge is made where it is asked for.

local FIXED, SLIDING, ZONED = 0, 1, 2

-- Reads what the time depends on. The caller's `first` and `second`: the length of a window that slides and the quarters that its
-- charges count from, or 0; else start and end of the window that it computed.
local function look(slot, kind, first, second)
  slot.hi, slot.lo, slot.expired = 0, 0, 0
  if kind == SLIDING then
    slot.sliding, slot.length, slot.quarter = true, first, second
    slot.head, slot.last = read_head(slot.key)
    return
  end
  slot.start, slot.ends = first, second
  if kind == ZONED then
    slot.zoned = true
    slot.stored, slot.stored_end, slot.stored_hi, slot.stored_lo = read_zoned(slot.key)
  end
end

-- Whether the slot needs another window than the one that the caller computed. A window of a time zone goes on to its stored end,
-- whatever the caller computed, which is needed only to begin the next.
local function is_elsewhen(slot, time)
  if slot.sliding or slot.stored and time < slot.stored_end then return false end
  return time < slot.start or time >= slot.ends and slot.ends < NEVER
end

-- How the slot stands at the time, where a log has room for `ceiling` live charges.
local function stand(slot, time, ceiling)
  if slot.sliding then
    local newest = slot.last and read_charge(slot.last)
    slot.stamp, slot.ends = charged_at(time, slot.quarter), time
    if newest then
      slot.hi, slot.lo, slot.expired = live_sum(slot.key, slot.head, slot.last, time)
      if slot.hi > 0 or slot.lo > 0 then slot.ends = newest + slot.length end
      -- Only after a reset within its quarter is the newest one later.
      slot.stamp = math.max(slot.stamp, newest)
    end
    slot.joins, slot.idle = newest == slot.stamp, slot.ends == time
    slot.full = not slot.idle and not slot.joins and (slot.by_hi > 0 or slot.by_lo > 0)
      and redis.call('ZCARD', slot.key) - 1 - slot.expired >= ceiling
  elseif slot.zoned then
    if slot.stored and time < slot.stored_end then
      slot.stamp, slot.ends, slot.hi, slot.lo = slot.stored, slot.stored_end, slot.stored_hi, slot.stored_lo
    else
      slot.stamp, slot.idle = math.max(slot.start, slot.stored_end or 0), true
    end
  else
    slot.stamp, slot.hi, slot.lo = read_fixed(slot.key, slot.start)
    if not slot.stamp then slot.stamp, slot.hi, slot.lo, slot.idle = slot.start, 0, 0, true end
  end
  slot.sum_hi, slot.sum_lo = add(slot.hi, slot.lo, slot.by_hi, slot.by_lo)
end

-- Any call that finds an expired charge deletes it, a refused call too: each charge is read once as expired.
local function tidy(slot, time, hi, lo)
  if slot.expired > 0 then redis.call('ZREMRANGEBYSCORE', slot.key, '-inf', time - slot.length) end
  write_head(slot.key, slot.head, time, slot.length, hi, lo)
end

-- Charges a slot at `at.time`, as it stands then: `at` also has the server's time `now`, what the caller gave as the time, and the
-- declarations. Notes there whether that charged what held nothing, and whether a window began. In a log that is full, the charge joins
-- the newest one, which then counts from this time.
local function charge(slot, at)
  if slot.sliding then
    local hi, lo = slot.by_hi, slot.by_lo
    local joined = (slot.joins or slot.full) and slot.last
    if joined then
      local _, at_hi, at_lo = read_charge(joined)
      hi, lo = add(hi, lo, at_hi, at_lo)
    end
    write_charge(slot.key, slot.stamp, hi, lo)
    if joined then redis.call('ZREM', slot.key, joined) end
    tidy(slot, at.time, slot.sum_hi, slot.sum_lo)
    redis.call('PEXPIRE', slot.key, slot.stamp + slot.length - at.now + GRACE)
  else
    -- A key is there up to the millisecond that it is given, and that one included.
    local life = {}
    if not slot.idle then
      life = { 'KEEPTTL' }
    elseif at.given >= 0 and slot.ends < NEVER then
      life = { 'PX', slot.ends - at.time + (slot.zoned and OUTLIVES or GRACE) }
    elseif slot.ends < NEVER then
      life = { 'PXAT', slot.ends + (slot.zoned and OUTLIVES or -1) }
    end
    if slot.zoned then
      write_zoned(slot.key, slot.stamp, slot.ends, slot.sum_hi, slot.sum_lo, unpack(life))
    else
      write_fixed(slot.key, slot.start, slot.stamp, slot.sum_hi, slot.sum_lo, unpack(life))
    end
  end
  if slot.idle then
    redis.call('HSET', at.declarations, slot.id, slot.declaration)
    if slot.ends == NEVER then redis.call('HSET', at.declarations, 'ever', '1') end
    at.idle, at.begun = true, at.begun or not slot.sliding
  end
end

-- Keeps the declarations of what was charged, and the time. A caller's clock may run back at any time, the server's hardly ever.
local function remember(at, newest, declared_for)
  if at.begun or at.given >= 0 and at.time > newest then
    write_newest(at.declarations, at.time, declared_for)
  elseif at.idle then
    keep_declarations(at.declarations, declared_for)
  end
end
