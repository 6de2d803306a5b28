-- One record to one partition of a log: a stream whose entry `17-1` is the record of offset 17.
-- KEYS: stream, head, token. Further arguments: retention or nothing, then the entry's fields.
local stream, head, token = KEYS[1], KEYS[2], KEYS[3]
local retention_us = tonumber(take())

local known = recall(token)
if known then
  return known
end

local stored = redis.call('HMGET', head, 'end', 'time')
local offset, last_us = tonumber(stored[1] or '0'), tonumber(stored[2] or '0')
local time = digits(math.max(now_us, last_us))
redis.call('HSET', head, 'end', digits(offset + 1), 'time', time)
local fields = {'@time', time}
for i = at + 1, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
redis.call('XADD', stream, digits(offset) .. '-1', unpack(fields))

-- Every append takes some records along whose time is over.
if retention_us then
  local function is_over(entry)
    return tonumber(entry[2][2]) <= now_us - retention_us - margin_us
  end
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
  if is_over(oldest[1]) then
    for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 64)) do
      if not is_over(entry) then
        break
      end
      redis.call('XDEL', stream, entry[1])
    end
  end
end
return remember(token, digits(offset) .. ' ' .. time)
