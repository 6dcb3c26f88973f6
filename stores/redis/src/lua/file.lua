-- Looks a call up, and files it if it is not there, has ended, or was let through.
--
-- KEYS  the records; the details
-- ARGV  the time, or -1 for the server's; the place; the call; what is kept of its arguments; for how long it waits; how many may
--       wait, and how many there may be; what keys of spent ids begin with; ids, of which the first that is free is taken
-- Reply {0 filed or 1 found; the record} or {2} where there are as many as there may be

local records, details, now, place, approvals = KEYS[1], KEYS[2], read_clock(tonumber(ARGV[1])), ARGV[2], ARGV[8]

local value = redis.call('HGET', records, place)
if value then
  local record = read_record(value)
  if record.ends > now and not is_spent(approvals, record) then return { 1, shown(approvals, record) } end
  redis.call('HDEL', records, place)
  redis.call('HDEL', details, record.id)
end

local pending, all, last = sweep(records, details, now)
if pending >= tonumber(ARGV[6]) or all >= tonumber(ARGV[7]) then return { 2 } end

for n = 9, #ARGV do
  if redis.call('HEXISTS', details, ARGV[n]) == 0 then
    local ends = now + tonumber(ARGV[5])
    local record =
      { id = ARGV[n], state = PENDING, filed = now, ends = ends, answered = -1, by = '', call = ARGV[3] }
    -- Where memory ends in between, what is left over is not found by a call.
    redis.call('HSET', details, record.id, struct.pack('>I4', #place) .. place .. ARGV[4])
    write_record(records, place, record)
    keep(records, details, now, math.max(last, ends))
    return { 0, shown(approvals, record) }
  end
end
error('no id is free')
