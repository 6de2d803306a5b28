-- One page of a partition, in order or against it, of rows that have not expired.
-- KEYS: order, rows. ARGV: now, low, high, whether backwards, rows at most, bytes at most.
-- Returns clustering bytes and row in turn, and at the end whether there is more.
local now_us = tonumber(ARGV[1])
local low, high, is_reverse = ARGV[2], ARGV[3], ARGV[4] == '1'
local rows_max, bytes_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local found, count, bytes = {}, 0, 0
local step = math.min(rows_max + 1, 200)

while true do
  local places
  if is_reverse then
    places = redis.call('ZREVRANGEBYLEX', KEYS[1], high, low, 'LIMIT', 0, step)
  else
    places = redis.call('ZRANGEBYLEX', KEYS[1], low, high, 'LIMIT', 0, step)
  end
  if #places == 0 then
    break
  end
  local rows = redis.call('HMGET', KEYS[2], unpack(places))
  for i, place in ipairs(places) do
    local expires = string.match(rows[i] or '', '^%d+ (%S+) ')
    if not expires or expires == '-' or tonumber(expires) > now_us then
      bytes = bytes + #place + #(rows[i] or '')
      if count > 0 and (count >= rows_max or bytes > bytes_max) then
        found[#found + 1] = 'more'
        return found
      end
      count = count + 1
      found[#found + 1] = place
      found[#found + 1] = rows[i] or ''
    end
  end
  if #places < step then
    break
  end
  if is_reverse then
    high = '(' .. places[#places]
  else
    low = '(' .. places[#places]
  end
end
found[#found + 1] = 'end'
return found
