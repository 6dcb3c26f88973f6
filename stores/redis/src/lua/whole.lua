-- Before `quick.lua`, where `decide.lua` comes after it: how many slots the former may charge.

local keys, limits, first, whole = KEYS, ARGV, nil, true
local arg = limits[#limits]
local usual = struct.unpack('>d', arg)
