-- Amounts: whole numbers from 0 to 2^63 - 1, in units of 10^-6.
--
-- A Lua number is a double and exact only up to 2^53, so an amount is two numbers, `hi` and `lo`, and means
-- hi * 10^9 + lo. Both stay below 2^35, and so does every sum of two.

local BASE = 1000000000

local function add(hi, lo, by_hi, by_lo)
  hi, lo = hi + by_hi, lo + by_lo
  if lo >= BASE then return hi + 1, lo - BASE end
  return hi, lo
end

-- Not below zero.
local function subtract(hi, lo, by_hi, by_lo)
  hi, lo = hi - by_hi, lo - by_lo
  if lo < 0 then hi, lo = hi - 1, lo + BASE end
  if hi < 0 then return 0, 0 end
  return hi, lo
end

local function at_most(hi, lo, max_hi, max_lo)
  return hi < max_hi or (hi == max_hi and lo <= max_lo)
end
