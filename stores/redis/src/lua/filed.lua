-- Calls that wait for a person's approval, as they are stored, format 2. Times are milliseconds since the epoch.
--
-- The records of a namespace are a hash. Its fields are places, that is what makes a call that call. Its values are
-- (state, filed, ends, answered, bytes of who answered), the id, who answered, and what a list shows of the call as JSON. The
-- first is one signed byte, three doubles and an unsigned short, the highest byte first.
--
-- The details are another hash. Its fields are ids. Its values are the bytes of the place as an unsigned int, the place, and what
-- is kept of the arguments. Both outlive the last record by GRACE.

local PENDING, GRANTED = 0, 1
local ID = 8
-- More than an approval may have.
local USED_UP = 4294967295

local function read_record(value)
  local state, filed, ends, answered, size, at = struct.unpack('>bdddH', value)
  return {
    state = state,
    filed = filed,
    ends = ends,
    answered = answered,
    id = string.sub(value, at, at + ID - 1),
    by = string.sub(value, at + ID, at + ID + size - 1),
    call = string.sub(value, at + ID + size),
  }
end

local function write_record(records, place, record)
  local head = struct.pack('>bdddH', record.state, record.filed, record.ends, record.answered, #record.by)
  redis.call('HSET', records, place, head .. record.id .. record.by .. record.call)
end

-- The key of a grant's spent id: `approvals` is what all such keys begin with.
local function spent_key(approvals, record)
  return approvals .. record.id .. '-' .. string.format('%.0f', record.answered)
end

-- Whether a grant has let as many calls through as its call says; a call of before it could say so has one.
local function is_spent(approvals, record)
  if record.state ~= GRANTED then return false end
  return uses_of(spent_key(approvals, record)) >= (cjson.decode(record.call).uses or 1)
end

-- The record as a reply.
local function shown(approvals, record)
  local spent = is_spent(approvals, record) and 1 or 0
  return { record.id, record.state, record.filed, record.ends, record.answered, record.by, record.call, spent }
end

-- Deletes what has ended: how many records wait then, how many there are, and when the last one ends.
local function sweep(records, details, now)
  local pending, all, last, found = 0, 0, now, redis.call('HGETALL', records)
  for n = 1, #found, 2 do
    local record = read_record(found[n + 1])
    if record.ends <= now then
      redis.call('HDEL', records, found[n])
      redis.call('HDEL', details, record.id)
    else
      if record.state == PENDING then pending = pending + 1 end
      all, last = all + 1, math.max(last, record.ends)
    end
  end
  return pending, all, last
end

local function keep(records, details, now, last)
  redis.call('PEXPIRE', records, last - now + GRACE)
  redis.call('PEXPIRE', details, last - now + GRACE)
end

-- The record with an id that has not ended, its place, and what is kept of its arguments; nothing if there is none.
local function find(records, details, id, now)
  local detail = redis.call('HGET', details, id)
  if not detail then return nil end
  local size, at = struct.unpack('>I4', detail)
  local place = string.sub(detail, at, at + size - 1)
  local value = redis.call('HGET', records, place)
  local record = value and read_record(value)
  if not record or record.id ~= id or record.ends <= now then return nil end
  return record, place, string.sub(detail, at + size)
end
