-- Whole numbers of any 64 bits: Lua's own are exact only to 2^53. A number is a pair
-- {high, low} that stands for high * 10^10 + low, with 0 <= low < 10^10.
local BASE = 1e10

local function paired(high, low)
  local carry = math.floor(low / BASE)
  return {high + carry, low - carry * BASE}
end

local function parse(text)
  local sign, figures = 1, text
  if string.sub(text, 1, 1) == '-' then
    sign, figures = -1, string.sub(text, 2)
  end
  local high = tonumber(string.sub(figures, 1, -11)) or 0
  return paired(sign * high, sign * tonumber(string.sub(figures, -10)))
end

local function add(a, b)
  return paired(a[1] + b[1], a[2] + b[2])
end

local function negate(a)
  return paired(-a[1], -a[2])
end

local function sign(a)
  if a[1] < 0 then
    return -1
  end
  return (a[1] > 0 or a[2] > 0) and 1 or 0
end

local function is_less(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end

local spell
function spell(a)
  if sign(a) < 0 then
    return '-' .. spell(negate(a))
  elseif a[1] > 0 then
    return string.format('%.0f%010.0f', a[1], a[2])
  end
  return string.format('%.0f', a[2] + 0)
end
