-- Decides a batch: takes it whole, or changes nothing that a call can see. After `quick.lua`, which decides what is usual.
--
-- KEYS  one for each slot; the declarations; the approval, if the batch spends one
-- ARGV  what `quick.lua` is given, charges included; then one string:
--       (how many slots if the batch only charges fixed windows, each more than zero, and all amounts are below 2^53; else 0)
--       (the time or -1 for the server's, how many slots, 1 to take the batch or 0 to ask, how many live charges a log may
--       have, for how long declarations and approvals are kept, how many guards)
--       for each slot (the charge hi lo or -1 0 where it is only read, the maximum hi lo, 1 if it slides, the length of its
--       window and 0 if it does, else the start and the end of the window that its key names, how many edges it has if it
--       slides, else 0; for each edge, the highest first: hi lo)
--       for each guard (1 if it requires or 0 if it refuses, tests; for each test: the slot's number, ranges; for each range:
--       low hi lo, high hi lo)
--       for each slot (bytes of the counter's id and its declaration) and these
-- Reply (0 reserved, 1 refused, 2 approval spent; the time; for each slot: stamp, resets at, hi, lo, 1 if its log is full,
--       steps; for each step: at, hi, lo), all as before the batch. A sliding slot of a refused batch goes down by steps: when
--       the charge was made without which the slot is at an edge or below, and what is left without it. Only at an edge does
--       a bound change its mind. The first step of a full log is its oldest charge.
--       (3, the time) where a key names another window than the one of that time: nothing was decided.
-- What is in parentheses is doubles in one string.

local RESERVED, REFUSED, SPENT, ELSEWHEN = 0, 1, 2, 3
local given, count, taking, ceiling, declared_for, approved_for, guards, position = struct.unpack('>ddddddd', arg, 9)
local now, declarations = read_clock(given), KEYS[count + 1]

local slots, time, fixed = {}, now, given >= 0
for n = 1, count do
  local by_hi, by_lo, max_hi, max_lo, sliding, first, second, edges
  by_hi, by_lo, max_hi, max_lo, sliding, first, second, edges, position = struct.unpack('>dddddddd', arg, position)
  local slot = {
    key = KEYS[n],
    sliding = sliding == 1,
    charges = by_hi >= 0,
    by_hi = math.max(by_hi, 0),
    by_lo = by_lo,
    max_hi = max_hi,
    max_lo = max_lo,
    edges = edges,
    first_edge = position,
    hi = 0,
    lo = 0,
    expired = 0,
  }
  if slot.sliding then
    slot.length = first
    slot.head, slot.last = read_head(slot.key)
    if slot.head then time = math.max(time, slot.head.newest) end
  else
    slot.start, slot.ends, fixed = first, second, true
  end
  position = position + 16 * edges
  slots[n] = slot
end
local newest = fixed and read_newest(declarations) or 0
time = math.max(time, advance(now, given, newest))

for _, slot in ipairs(slots) do
  if not slot.sliding and (time < slot.start or time >= slot.ends) then
    return struct.pack('>dd', ELSEWHEN, time)
  end
end

-- How each counter stands at that time, and with the charge added.
for _, slot in ipairs(slots) do
  if slot.sliding then
    slot.stamp, slot.ends = time, time
    local newest
    if slot.head then
      slot.hi, slot.lo, slot.expired = live_sum(slot.key, slot.head, slot.last, time)
      newest = slot.last and read_charge(slot.last)
      if newest and newest > time - slot.length then slot.ends = newest + slot.length end
    end
    slot.joins, slot.idle = newest == time, slot.ends == time
    slot.full = not slot.idle and not slot.joins and (slot.by_hi > 0 or slot.by_lo > 0)
      and redis.call('ZCARD', slot.key) - 1 - slot.expired >= ceiling
  else
    slot.stamp, slot.hi, slot.lo = read_fixed(slot.key, slot.start)
    if not slot.stamp then slot.stamp, slot.hi, slot.lo, slot.idle = slot.start, 0, 0, true end
  end
  slot.sum_hi, slot.sum_lo = add(slot.hi, slot.lo, slot.by_hi, slot.by_lo)
end

local refused = false
for _, slot in ipairs(slots) do
  if slot.charges and (slot.full or not at_most(slot.sum_hi, slot.sum_lo, slot.max_hi, slot.max_lo)) then refused = true end
end
for _ = 1, guards do
  local requires, tests, of, ranges
  requires, tests, position = struct.unpack('>dd', arg, position)
  local all = true
  for _ = 1, tests do
    of, ranges, position = struct.unpack('>dd', arg, position)
    local slot, holds = slots[of], false
    for _ = 1, ranges do
      local low_hi, low_lo, high_hi, high_lo
      low_hi, low_lo, high_hi, high_lo, position = struct.unpack('>dddd', arg, position)
      holds = holds
        or at_most(low_hi, low_lo, slot.sum_hi, slot.sum_lo) and at_most(slot.sum_hi, slot.sum_lo, high_hi, high_lo)
    end
    all = all and holds
  end
  if all ~= (requires == 1) then refused = true end
end

for _, slot in ipairs(slots) do
  local id, declaration
  id, declaration, position = struct.unpack('>dd', arg, position)
  slot.id = string.sub(arg, position, position + id - 1)
  slot.declaration = string.sub(arg, position + id, position + id + declaration - 1)
  position = position + id + declaration
end

local approval, verdict = KEYS[count + 2], RESERVED
if refused then
  verdict = REFUSED
elseif approval and redis.call('EXISTS', approval) == 1 then
  verdict = SPENT
end

-- Shows the live charges of a slot to `visit`, the oldest or the newest first, until that says to stop.
local function walk(slot, newest_first, visit)
  local first, last, page = slot.expired, redis.call('ZCARD', slot.key) - 2, 16
  while first <= last do
    local from, to = first, math.min(last, first + page - 1)
    if newest_first then from, to = math.max(first, last - page + 1), last end
    local members = redis.call('ZRANGE', slot.key, from, to)
    for n = 1, #members do
      if visit(read_charge(members[newest_first and #members + 1 - n or n])) then return end
    end
    if newest_first then last = from - 1 else first = to + 1 end
    page = math.min(page * 4, 1024)
  end
end

-- The steps by which a slot goes down, the first one first. Each edge is sought from the end of the log to which it is nearer.
local function steps(slot)
  local high, low, found, late = {}, {}, {}, {}
  for n = 0, slot.edges - 1 do
    local hi, lo = struct.unpack('>dd', arg, slot.first_edge + 16 * n)
    if not at_most(slot.sum_hi, slot.sum_lo, hi, lo) then
      local goes_hi, goes_lo = subtract(slot.sum_hi, slot.sum_lo, hi, lo)
      local is_high = at_most(goes_hi, goes_lo, subtract(hi, lo, slot.by_hi, slot.by_lo))
      table.insert(is_high and high or low, { hi, lo })
    end
  end

  local hi, lo, reached = slot.sum_hi, slot.sum_lo, 0
  local function expire(at, by_hi, by_lo)
    hi, lo = subtract(hi, lo, by_hi, by_lo)
    local before, edge = reached, high[reached + 1]
    while edge and at_most(hi, lo, edge[1], edge[2]) do
      reached = reached + 1
      edge = high[reached + 1]
    end
    if reached > before or slot.full and #found == 0 then
      found[#found + 1] = struct.pack('>ddd', at, subtract(hi, lo, slot.by_hi, slot.by_lo))
    end
    return not edge
  end
  if high[1] or slot.full then walk(slot, false, expire) end

  hi, lo, reached = slot.by_hi, slot.by_lo, #low
  local function keep(at, by_hi, by_lo)
    local edge, with_hi, with_lo = low[reached], add(hi, lo, by_hi, by_lo)
    if not at_most(with_hi, with_lo, edge[1], edge[2]) then
      table.insert(late, 1, struct.pack('>ddd', at, subtract(hi, lo, slot.by_hi, slot.by_lo)))
      repeat
        reached = reached - 1
        edge = low[reached]
      until not edge or at_most(with_hi, with_lo, edge[1], edge[2])
    end
    hi, lo = with_hi, with_lo
    return not edge
  end
  if low[1] then walk(slot, true, keep) end
  for _, step in ipairs(late) do found[#found + 1] = step end
  return found
end

local reply = { struct.pack('>dd', verdict, now) }
for _, slot in ipairs(slots) do
  local down = verdict == REFUSED and slot.head and steps(slot) or {}
  local standing = struct.pack('>dddddd', slot.stamp, slot.ends, slot.hi, slot.lo, slot.full and 1 or 0, #down)
  reply[#reply + 1] = standing .. table.concat(down)
end

-- Any call that finds an expired charge deletes it, a refused call too: each charge is read once as expired.
local function tidy(slot, hi, lo)
  if slot.expired > 0 then redis.call('ZREMRANGEBYSCORE', slot.key, '-inf', time - slot.length) end
  write_head(slot.key, slot.head, time, slot.length, hi, lo)
end

-- Whether the batch charged what held nothing, and whether a fixed window was among it.
local idle, begun = false, false

local function charge(n, slot)
  if slot.sliding then
    local hi, lo = slot.by_hi, slot.by_lo
    if slot.joins then
      local _, at_hi, at_lo = read_charge(slot.last)
      hi, lo = add(hi, lo, at_hi, at_lo)
    end
    write_charge(slot.key, time, hi, lo)
    if slot.joins then redis.call('ZREM', slot.key, slot.last) end
    tidy(slot, slot.sum_hi, slot.sum_lo)
    redis.call('PEXPIRE', slot.key, time + slot.length - now + GRACE)
  elseif not slot.idle then
    write_fixed(slot.key, slot.start, slot.stamp, slot.sum_hi, slot.sum_lo, 'KEEPTTL')
  elseif given < 0 then
    -- A key is there up to the millisecond that it is given, and that one included.
    write_fixed(slot.key, slot.start, slot.stamp, slot.sum_hi, slot.sum_lo, 'PXAT', slot.ends - 1)
  else
    write_fixed(slot.key, slot.start, slot.stamp, slot.sum_hi, slot.sum_lo, 'PX', slot.ends - time + GRACE)
  end
  if slot.idle then
    redis.call('HSET', declarations, slot.id, slot.declaration)
    idle, begun = true, begun or not slot.sliding
  end
end

if taking == 1 then
  if verdict == RESERVED and approval then redis.call('SET', approval, '1', 'PX', approved_for) end
  for n, slot in ipairs(slots) do
    if verdict == RESERVED and (slot.by_hi > 0 or slot.by_lo > 0) then
      charge(n, slot)
    elseif slot.expired > 0 then
      tidy(slot, slot.hi, slot.lo)
    end
  end
  -- A caller's clock may run back at any time, the server's hardly ever.
  if begun or given >= 0 and time > newest then
    write_newest(declarations, time, declared_for)
  elseif idle then
    redis.call('PEXPIRE', declarations, declared_for)
  end
end

return table.concat(reply)
