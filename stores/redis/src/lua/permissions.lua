-- Tries which commands may be run, and changes nothing: each does nothing, or fails by its arguments.
--
-- KEYS  of counters, an approval, declarations and filed calls, of which only the declarations can be
-- ARGV  for each command: which key it is tried on, or 0; its name and what follows the key, between blanks
-- Reply the numbers of those that may not be run

-- What a command says that was let through: permissions are looked at before.
local LET_THROUGH = {
  'not an integer', 'wrong number of arguments', 'WRONGTYPE', 'OOM', 'READONLY', 'MISCONF', 'NOREPLICAS', 'MASTERDOWN',
}

local function is_refused(reply)
  if type(reply) ~= 'table' or not reply.err then return false end
  for _, text in ipairs(LET_THROUGH) do
    if string.find(reply.err, text, 1, true) then return false end
  end
  return true
end

local refused = {}
for n = 1, #ARGV, 2 do
  local key, words = KEYS[tonumber(ARGV[n])], {}
  for word in string.gmatch(ARGV[n + 1], '%S+') do
    words[#words + 1] = word
    if #words == 1 and key then words[2] = key end
  end
  if is_refused(redis.pcall(unpack(words))) then refused[#refused + 1] = (n + 1) / 2 end
end
return refused
