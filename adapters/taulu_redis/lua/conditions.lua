-- Conditions of a unit. Columns are compared as text, except where two texts are one value.
local function plain(decimal)
  if string.find(decimal, '.', 1, true) then
    decimal = string.gsub(string.gsub(decimal, '0+$', ''), '%.$', '')
  end
  return decimal == '-0' and '0' or decimal
end

local function is_equal(mode, wanted, found)
  if mode == 'unset' or not found then
    return mode == 'unset' and not found
  elseif mode == 'decimal' then
    return plain(wanted) == plain(found)
  elseif mode == 'float' then
    return tonumber(wanted) == tonumber(found)
  end
  return wanted == found
end

-- Takes one condition; `version` is nil for an absent row, `column` reads one of its columns.
local function holds(version, column)
  local kind = take()
  if kind == 'absent' then
    return version == nil
  elseif kind == 'present' then
    return version ~= nil
  elseif kind == 'version' then
    return take() == version
  end
  local are_equal = version ~= nil
  for _ = 1, tonumber(take()) do
    local name, mode, wanted = take(), take(), take()
    are_equal = are_equal and is_equal(mode, wanted, column(name))
  end
  return are_equal
end
