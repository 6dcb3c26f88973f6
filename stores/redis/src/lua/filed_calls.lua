-- Shows filed calls that have not ended: all, or one with what is kept of its arguments.
--
-- KEYS  the records; the details
-- ARGV  the time, or -1 for the server's; what keys of spent ids begin with; the id of the one
-- Reply the records; or {the record, what is kept of its arguments}, or nothing where there is none

local records, details, now, approvals = KEYS[1], KEYS[2], read_clock(tonumber(ARGV[1])), ARGV[2]

if ARGV[3] then
  local record, _, args = find(records, details, ARGV[3], now)
  if not record then return {} end
  return { shown(approvals, record), args }
end

local reply, found = {}, redis.call('HGETALL', records)
for n = 2, #found, 2 do
  local record = read_record(found[n])
  if record.ends > now then reply[#reply + 1] = shown(approvals, record) end
end
return reply
