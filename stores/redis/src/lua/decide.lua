-- Decides a batch: takes it whole, or changes nothing that a call can see. After `quick.lua`, which decides what is usual.
--
-- KEYS  one for each slot; the declarations; the approval, if the batch has one
-- ARGV  what `quick.lua` is given, charges included; then one string:
--       (how many slots if the batch only charges fixed windows, each more than zero, and all amounts are below 2^53; else 0)
--       (the time or -1 for the server's, how many slots, 1 to take the batch or 0 to ask, how many live charges a log may
--       have, for how long declarations and approvals are kept, how many guards, 1 if the batch needs an approval whatever its
--       counters are, how many batches the approval lets through, from when on and until when it does)
--       for each slot (the charge hi lo or -1 0 where it is only read, the maximum hi lo, what `look` is given of its window, how
--       many edges it has if it slides, else 0; for each edge, the highest first: hi lo)
--       for each guard (1 if it requires, 0 if it refuses, 2 if it asks, tests; for each test: the slot's number, ranges; for each range:
--       low hi lo, high hi lo)
--       for each slot (bytes of the counter's id and its declaration) and these
-- Reply (0 reserved, 1 refused, 2 approval spent, 4 approval needed; the time; for each slot: stamp, resets at, hi, lo, 1 if its log is full,
--       steps; for each step: at, hi, lo), all as before the batch. A sliding slot of a refused batch goes down by steps: when
--       the charge was made without which the slot is at an edge or below, and what is left without it. Only at an edge does
--       a bound change its mind. The first step of a full log is its oldest charge.
--       (3, the time) where the caller computed another window than the one of that time: nothing was decided.
-- What is in parentheses is doubles in one string.

local RESERVED, REFUSED, SPENT, ELSEWHEN, ASKS = 0, 1, 2, 3, 4
local given, count, taking, ceiling, declared_for, approved_for, guards, asks, uses, holds_from, holds_until, position =
  struct.unpack('>ddddddddddd', arg, 9)
local now, declarations = read_clock(given), KEYS[count + 1]

local slots, time, fixed = {}, now, given >= 0
for n = 1, count do
  local by_hi, by_lo, max_hi, max_lo, kind, first, second, edges
  by_hi, by_lo, max_hi, max_lo, kind, first, second, edges, position = struct.unpack('>dddddddd', arg, position)
  local slot = {
    key = KEYS[n],
    charges = by_hi >= 0,
    by_hi = math.max(by_hi, 0),
    by_lo = by_lo,
    max_hi = max_hi,
    max_lo = max_lo,
    edges = edges,
    first_edge = position,
  }
  look(slot, kind, first, second)
  if slot.head then time = math.max(time, slot.head.newest) end
  fixed = fixed or not slot.sliding
  position = position + 16 * edges
  slots[n] = slot
end
local newest = fixed and read_newest(declarations) or 0
time = math.max(time, advance(now, given, newest))

for _, slot in ipairs(slots) do
  if is_elsewhen(slot, time) then return struct.pack('>dd', ELSEWHEN, time) end
end

-- How each counter stands at that time, and with the charge added.
for _, slot in ipairs(slots) do stand(slot, time, ceiling) end

local refused, asked = false, asks == 1
for _, slot in ipairs(slots) do
  if slot.charges and (slot.full or not at_most(slot.sum_hi, slot.sum_lo, slot.max_hi, slot.max_lo)) then refused = true end
end
for _ = 1, guards do
  local mode, tests, of, ranges
  mode, tests, position = struct.unpack('>dd', arg, position)
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
  if mode == 2 then
    asked = asked or all
  elseif all ~= (mode == 1) then
    refused = true
  end
end

for _, slot in ipairs(slots) do
  local id, declaration
  id, declaration, position = struct.unpack('>dd', arg, position)
  slot.id = string.sub(arg, position, position + id - 1)
  slot.declaration = string.sub(arg, position + id, position + id + declaration - 1)
  position = position + id + declaration
end

-- An id is counted: it lets as many batches through as it has uses.
local approval, verdict, used = KEYS[count + 2], RESERVED, nil
if refused then
  verdict = REFUSED
elseif asked and not (approval and holds_from <= time and time < holds_until) then
  verdict = ASKS
elseif asked then
  used = uses_of(approval)
  if used >= uses then verdict = SPENT end
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

if taking == 1 then
  local at = { time = time, now = now, given = given, declarations = declarations }
  if verdict == RESERVED and used then write_uses(approval, used + 1, approved_for) end
  for _, slot in ipairs(slots) do
    if verdict == RESERVED and (slot.by_hi > 0 or slot.by_lo > 0) then
      charge(slot, at)
    elseif slot.expired > 0 then
      tidy(slot, time, slot.hi, slot.lo)
    end
  end
  remember(at, newest, declared_for)
end

return table.concat(reply)
