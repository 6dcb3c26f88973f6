-- Makes charges what calls really cost. What is taken back is taken only from the window that was charged. What is added is a charge of
-- its own, which no bound refuses.
--
-- KEYS  one for each settlement; the declarations
-- ARGV  (the time, or -1 for the server's, 1 if a caller's time is noted, for how long declarations are kept, how many live charges a
--       log may have); for each settlement
--       (1 if it adds or 0 if it takes back, the stamp, the amount hi lo, what `look` is given of its window, bytes of the counter's
--       id and its declaration, or 0 0 where it takes back) and these
-- Reply `settled`
--       (3, the time) where the caller computed another window to add to than the one of that time: nothing was done.
-- What is in parentheses is doubles in one string.

-- A server without memory lets a script write if its first write frees memory. Nothing that is given back needs any, and what a call
-- has cost must count, so this is the first write, and deletes nothing: no counter has this key.
redis.call('DEL', string.sub(KEYS[#KEYS], 1, -2) .. 'f:')

local ELSEWHEN, MAX_HI, MAX_LO = 3, 9223372036, 854775807
local given, ticks, declared_for, ceiling = struct.unpack('>dddd', ARGV[1])
local now, declarations, newest = read_clock(given), KEYS[#KEYS], nil

-- The counter of a settlement, as it is stored now.
local function slot_of(settlement)
  local slot = { key = settlement.key, id = settlement.id, declaration = settlement.declaration }
  slot.by_hi, slot.by_lo = settlement.hi, settlement.lo
  look(slot, settlement.kind, settlement.first, settlement.second)
  return slot
end

local settlements, adds = {}, false
for n = 1, #KEYS - 1 do
  local adding, stamp, hi, lo, kind, first, second, id, declaration, position =
    struct.unpack('>ddddddddd', ARGV[n + 1])
  settlements[n] = {
    key = KEYS[n],
    adds = adding == 1,
    stamp = stamp,
    hi = hi,
    lo = lo,
    kind = kind,
    first = first,
    second = second,
    id = string.sub(ARGV[n + 1], position, position + id - 1),
    declaration = string.sub(ARGV[n + 1], position + id, position + id + declaration - 1),
  }
  adds = adds or adding == 1
end

if given >= 0 or adds then newest = read_newest(declarations) end
local at = { now = now, given = given, declarations = declarations }
local time = newest and advance(now, given, newest) or now
-- What is taken back goes by the server's time as it is, or by the latest that callers gave.
if given >= 0 then now = time end
for _, settlement in ipairs(settlements) do
  local head = settlement.adds and settlement.kind == SLIDING and read_head(settlement.key)
  if head then time = math.max(time, head.newest) end
end
for _, settlement in ipairs(settlements) do
  if settlement.adds or #settlements > 1 then
    local slot = slot_of(settlement)
    -- What cannot be read ends the script, which has to be before anything is written.
    if settlement.kind == FIXED then read_fixed(settlement.key, settlement.first) end
    if settlement.adds and is_elsewhen(slot, time) then return struct.pack('>dd', ELSEWHEN, time) end
  end
end

local function take_back_fixed(of)
  local stored, hi, lo = read_fixed(of.key, of.first)
  if stored ~= of.stamp or now >= of.second and of.second < NEVER then return end
  hi, lo = subtract(hi, lo, of.hi, of.lo)
  write_fixed(of.key, of.first, stored, hi, lo, 'KEEPTTL')
end

local function take_back_zoned(of)
  local stored, ends, hi, lo = read_zoned(of.key)
  if stored ~= of.stamp or now >= ends then return end
  hi, lo = subtract(hi, lo, of.hi, of.lo)
  write_zoned(of.key, stored, ends, hi, lo, 'KEEPTTL')
end

local function take_back_sliding(of)
  local head, quarter = read_head(of.key), of.second
  if not head or of.stamp <= math.max(now, head.newest) - head.length then return end
  local member = redis.call('ZRANGEBYSCORE', of.key, of.stamp, of.stamp)[1]
  if not member then return end
  local at, hi, lo = read_charge(member)
  local by_hi, by_lo = of.hi, of.lo
  if at_most(hi, lo, by_hi, by_lo) then by_hi, by_lo = hi, lo end
  hi, lo = subtract(hi, lo, by_hi, by_lo)
  -- What tells of a reset stays.
  local stays = hi > 0 or lo > 0 or quarter > 0 and at % quarter > 0
  if stays then write_charge(of.key, at, hi, lo) end
  if by_hi > 0 or by_lo > 0 or not stays then redis.call('ZREM', of.key, member) end
  hi, lo = subtract(head.hi, head.lo, by_hi, by_lo)
  write_head(of.key, head, head.newest, head.length, hi, lo)
end

at.time = time
for _, settlement in ipairs(settlements) do
  if settlement.adds then
    local slot = slot_of(settlement)
    stand(slot, time, ceiling)
    local room_hi, room_lo = subtract(MAX_HI, MAX_LO, slot.hi, slot.lo)
    if not at_most(slot.by_hi, slot.by_lo, room_hi, room_lo) then
      slot.by_hi, slot.by_lo = room_hi, room_lo
      slot.sum_hi, slot.sum_lo = MAX_HI, MAX_LO
    end
    if slot.by_hi > 0 or slot.by_lo > 0 then charge(slot, at) end
  elseif settlement.kind == SLIDING then
    take_back_sliding(settlement)
  elseif settlement.kind == ZONED then
    take_back_zoned(settlement)
  else
    take_back_fixed(settlement)
  end
end

if adds then
  remember(at, newest, declared_for)
elseif ticks == 1 and given >= 0 then
  write_newest(declarations, time, declared_for)
end
return 'settled'
