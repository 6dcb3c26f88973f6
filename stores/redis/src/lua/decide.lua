-- Decides a batch: takes it whole, or changes nothing that a call can see.
--
-- KEYS  one for each slot; the declarations; the approval, if the batch spends one
-- ARGV  `take` or `ask`; the time, or '' for the server's; the number of slots; the ceiling of live charges; for how long
--       declarations and approvals are kept
--       for each slot: `fixed` or `sliding`; length and offset of its window; the charge (hi lo, or '' '' where it is only
--       read); the maximum (hi lo); the floor (hi lo); the counter's id and its declaration
--       for each guard: `require` or `refuse`, the number of tests; for each test: the slot's number, the number of ranges;
--       for each range: low (hi lo), high (hi lo)
-- Reply {`reserved`, `refused` or `spent`; the time; for each slot {stamp, resets at, hi, lo, 1 if its log is full}}, all as
--       before the charge. A refused sliding slot goes on with its oldest live charges, as many as have to expire before it
--       is at its floor: below that, no bound changes its mind.

local taking, now = ARGV[1] == 'take', read_clock(ARGV[2])
local count, ceiling = tonumber(ARGV[3]), tonumber(ARGV[4])
local declared_for, approved_for = ARGV[5], ARGV[6]
local argument = 6

local slots, time = {}, now
for n = 1, count do
  local slot = {
    key = KEYS[n],
    sliding = ARGV[argument + 1] == 'sliding',
    length = tonumber(ARGV[argument + 2]),
    offset = tonumber(ARGV[argument + 3]),
    charges = ARGV[argument + 4] ~= '',
    by_hi = tonumber(ARGV[argument + 4]) or 0,
    by_lo = tonumber(ARGV[argument + 5]) or 0,
    max_hi = tonumber(ARGV[argument + 6]),
    max_lo = tonumber(ARGV[argument + 7]),
    floor_hi = tonumber(ARGV[argument + 8]),
    floor_lo = tonumber(ARGV[argument + 9]),
    id = ARGV[argument + 10],
    declaration = ARGV[argument + 11],
  }
  argument = argument + 11
  if slot.sliding then
    slot.head, slot.last = read_head(slot.key)
    if slot.head and slot.head.newest > time then time = slot.head.newest end
  else
    slot.stamp, slot.ends, slot.hi, slot.lo = read_fixed(slot.key)
    if slot.stamp and slot.stamp > time then time = slot.stamp end
  end
  slots[n] = slot
end

-- How each counter stands at that time, and with the charge added.
for _, slot in ipairs(slots) do
  if slot.sliding then
    slot.stamp, slot.ends, slot.hi, slot.lo, slot.expired = time, time, 0, 0, 0
    if slot.head then
      slot.hi, slot.lo, slot.expired = live_sum(slot.key, slot.head, slot.last, time)
      local at = slot.last and read_charge(slot.last)
      if at and at > time - slot.length then slot.ends = at + slot.length end
      slot.joins = at == time
    end
    slot.idle = slot.ends == time
    slot.full = not slot.idle and not slot.joins and (slot.by_hi > 0 or slot.by_lo > 0)
      and redis.call('ZCARD', slot.key) - 1 - slot.expired >= ceiling
  elseif not slot.stamp or time >= slot.ends then
    slot.stamp, slot.ends = window_at(time, slot.length, slot.offset)
    slot.hi, slot.lo, slot.idle = 0, 0, true
  end
  slot.sum_hi, slot.sum_lo = add(slot.hi, slot.lo, slot.by_hi, slot.by_lo)
end

local function refuses(slot)
  return slot.charges and (slot.full or not at_most(slot.sum_hi, slot.sum_lo, slot.max_hi, slot.max_lo))
end

local refused = false
for _, slot in ipairs(slots) do
  refused = refused or refuses(slot)
end
while ARGV[argument + 1] do
  local mode, tests, all = ARGV[argument + 1], tonumber(ARGV[argument + 2]), true
  argument = argument + 2
  for _ = 1, tests do
    local slot, ranges, holds = slots[tonumber(ARGV[argument + 1])], tonumber(ARGV[argument + 2]), false
    argument = argument + 2
    for _ = 1, ranges do
      holds = holds
        or at_most(tonumber(ARGV[argument + 1]), tonumber(ARGV[argument + 2]), slot.sum_hi, slot.sum_lo)
          and at_most(slot.sum_hi, slot.sum_lo, tonumber(ARGV[argument + 3]), tonumber(ARGV[argument + 4]))
      argument = argument + 4
    end
    all = all and holds
  end
  refused = refused or all == (mode == 'refuse')
end

local approval = KEYS[count + 2]
local verdict = refused and 'refused' or approval and redis.call('EXISTS', approval) == 1 and 'spent' or 'reserved'

-- The oldest live charges of a refused slot, after `into`.
local function add_fading(slot, into)
  local hi, lo, after = slot.sum_hi, slot.sum_lo, time - slot.length
  while slot.full and #into == 5 or not at_most(hi, lo, slot.floor_hi, slot.floor_lo) do
    local oldest = redis.call('ZRANGEBYSCORE', slot.key, string.format('(%.0f', after), '(inf', 'LIMIT', 0, 64)
    if #oldest == 0 then return end
    for _, member in ipairs(oldest) do
      local at, by_hi, by_lo = read_charge(member)
      hi, lo, after = hi - by_hi, lo - by_lo, at
      if lo < 0 then hi, lo = hi - 1, lo + BASE end
      into[#into + 1] = member
      if at_most(hi, lo, slot.floor_hi, slot.floor_lo) then return end
    end
  end
end

local standings = {}
for n, slot in ipairs(slots) do
  local standing = { slot.stamp, slot.ends, slot.hi, slot.lo, slot.full and 1 or 0 }
  if refused and slot.sliding and slot.head then add_fading(slot, standing) end
  standings[n] = standing
end

-- What has expired is dropped by whoever finds it, also by a call that is refused: each charge is read once as expired.
local function tidy(slot, newest, hi, lo)
  if slot.expired > 0 then redis.call('ZREMRANGEBYSCORE', slot.key, '-inf', time - slot.length) end
  write_head(slot.key, slot.head, newest, slot.length, hi, lo)
end

local function charge(slot)
  if slot.sliding then
    local hi, lo = slot.by_hi, slot.by_lo
    if slot.joins then
      local _, at_hi, at_lo = read_charge(slot.last)
      hi, lo = add(hi, lo, at_hi, at_lo)
    end
    redis.call('ZADD', slot.key, time, string.format(THREE, time, hi, lo))
    if slot.joins then redis.call('ZREM', slot.key, slot.last) end
    tidy(slot, time, slot.sum_hi, slot.sum_lo)
    redis.call('PEXPIRE', slot.key, time + slot.length - now + GRACE)
  else
    write_fixed(slot.key, slot.stamp, slot.ends, slot.sum_hi, slot.sum_lo, 'PX', slot.ends - now + GRACE)
  end
  if slot.idle then
    redis.call('HSET', KEYS[count + 1], slot.id, slot.declaration)
    redis.call('PEXPIRE', KEYS[count + 1], declared_for)
  end
end

if taking then
  if verdict == 'reserved' and approval then redis.call('SET', approval, '1', 'PX', approved_for) end
  for _, slot in ipairs(slots) do
    if verdict == 'reserved' and (slot.by_hi > 0 or slot.by_lo > 0) then
      charge(slot)
    elseif slot.sliding and slot.expired > 0 then
      tidy(slot, time, slot.hi, slot.lo)
    end
  end
end

return { verdict, now, standings }
