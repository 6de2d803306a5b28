-- One page of one partition of a log.
-- KEYS: stream, head. ARGV: the time before which records are over or nothing, how to begin,
-- where to begin, records at most, bytes at most.
-- Returns the first offset kept, the end, where the page begins, and its entries.
local oldest_us, kind, wanted = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local records_max, bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5])

local function digits(number)
  return string.format('%.0f', number)
end

local stop = tonumber(redis.call('HGET', KEYS[2], 'end') or '0')
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local first = oldest and tonumber(string.match(oldest[1], '^%d+')) or stop

-- Times never decrease with offsets, so the first record since a time is found by halving.
local function first_since(time_us)
  local low, high = first, stop
  while low < high do
    local middle = math.floor((low + high) / 2)
    local id = digits(middle) .. '-1'
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if not entry or tonumber(entry[2][2]) < time_us then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

if oldest_us then
  first = first_since(oldest_us)
end
local start = first
if kind == 'latest' then
  start = stop
elseif kind == 'offset' then
  start = wanted
elseif kind == 'time' then
  start = first_since(wanted)
end
local page, bytes = {}, 0
if start >= first and start < stop then
  local entries = redis.call('XRANGE', KEYS[1], digits(start) .. '-1', '+', 'COUNT', records_max)
  for i, entry in ipairs(entries) do
    -- The time and the names are ours, and are not counted.
    for field = 4, #entry[2], 2 do
      bytes = bytes + #entry[2][field]
    end
    if i > 1 and bytes > bytes_max then
      break
    end
    page[i] = entry
  end
end
return {digits(first), digits(stop), digits(start), page}
