-- Answers a call. Uses the grant up that the answer replaces.
--
-- KEYS  the records; the details
-- ARGV  the time, or -1 for the server's; the id; the state; who answers; for how long; what keys of spent ids begin with; for how
--       long those are kept
-- Reply {0 answered or 1 used before; the record} or {2} where there is none

local records, details, now, approvals = KEYS[1], KEYS[2], read_clock(tonumber(ARGV[1])), ARGV[6]

local record, place = find(records, details, ARGV[2], now)
if not record then return { 2 } end
if is_spent(approvals, record) then return { 1, shown(approvals, record) } end

if record.state == GRANTED then write_uses(spent_key(approvals, record), USED_UP, tonumber(ARGV[7])) end
record.state, record.by = tonumber(ARGV[3]), ARGV[4]
record.answered, record.ends = now, now + tonumber(ARGV[5])
write_record(records, place, record)
-- An answer that holds for no time has ended.
local reply = shown(approvals, record)
local _, _, last = sweep(records, details, now)
keep(records, details, now, last)
return { 0, reply }
