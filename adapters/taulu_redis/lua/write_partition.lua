-- One unit on one partition of a wide table. The rows are the fields of one hash, named by
-- their clustering bytes: `version expiry {json}`; `order` sorts them, `ends` has those that
-- expire.
-- KEYS: order, rows, ends, clock, token; and of a table that can be scanned, index and its ends.
-- Further arguments: the partition's name, the limit of rows, conditions, mutations.
local order, rows, ends, clock, token = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local index, index_ends = KEYS[6], KEYS[7]
local name, rows_max = take(), tonumber(take())

local known = recall(token)
if known then
  return known
end

-- Rows as they were (false: absent), and as the unit leaves them.
local before, after = {}, {}

local function row_before(place)
  if before[place] == nil then
    before[place] = false
    local stored = redis.call('HGET', rows, place)
    if stored then
      local version, expires, body = string.match(stored, '^(%d+) (%S+) (.*)$')
      if expires == '-' or tonumber(expires) > now_us then
        before[place] = {version = version, expires = expires, body = body}
      end
    end
  end
  return before[place]
end

local function row_now(place)
  if after[place] ~= nil then
    return after[place]
  end
  return row_before(place)
end

for i = 1, tonumber(take()) do
  local row = row_before(take())
  local columns
  local is_so = holds(row and row.version or nil, function(column)
    columns = columns or cjson.decode(row.body)
    return columns[column]
  end)
  if not is_so then
    return {'condition', i - 1, row and row.version or '0'}
  end
end

local function update(place, end_if_made, end_if_kept, changes)
  local row, cleared = row_now(place), {}
  for i = 1, tonumber(take()) do
    cleared[i] = take()
  end
  if not row then
    return {expires = end_if_made, body = changes}
  end
  local columns = cjson.decode(row.body)
  for column, value in pairs(cjson.decode(changes)) do
    columns[column] = value
  end
  for _, column in ipairs(cleared) do
    columns[column] = nil
  end
  local expires = end_if_kept == '' and row.expires or end_if_kept
  return {expires = expires, body = cjson.encode(columns)}
end

local function delete_range(low, high)
  for _, place in ipairs(redis.call('ZRANGEBYLEX', order, low, high)) do
    row_before(place)
    after[place] = false
  end
  -- Those that the unit itself wrote into the range before.
  for _ = 1, tonumber(take()) do
    after[take()] = false
  end
end

local grows = false
for _ = 1, tonumber(take()) do
  local kind = take()
  if kind == 'range' then
    delete_range(take(), take())
  else
    local place = take()
    if kind == 'delete' then
      row_before(place)
      after[place] = false
    else
      grows = grows or not row_before(place)
      if kind == 'put' then
        after[place] = {expires = take(), body = take()}
      else
        after[place] = update(place, take(), take(), take())
      end
    end
  end
end

if rows_max and grows then
  local count = redis.call('ZCARD', order)
  count = count - redis.call('ZCOUNT', ends, '-inf', digits(now_us))
  for place, row in pairs(after) do
    count = count + (row and 1 or 0) - (before[place] and 1 or 0)
  end
  if count > rows_max then
    return {'rows', count}
  end
end

local version = next_version(clock)
redis.call('SET', clock, version)
local fields, ordered, ending, lasting, gone = {}, {}, {}, {}, {}
for place, row in pairs(after) do
  if row then
    fields[#fields + 1] = place
    fields[#fields + 1] = version .. ' ' .. row.expires .. ' ' .. row.body
    ordered[#ordered + 1] = 0
    ordered[#ordered + 1] = place
    if row.expires == '-' then
      lasting[#lasting + 1] = place
    else
      ending[#ending + 1] = row.expires
      ending[#ending + 1] = place
    end
  else
    gone[#gone + 1] = place
  end
end
call_in_parts('HSET', rows, fields)
call_in_parts('ZADD', order, ordered)
call_in_parts('ZADD', ends, ending)
call_in_parts('ZREM', ends, lasting)
-- Every write takes some rows along whose time is over.
local over_us = digits(now_us - margin_us)
for _, place in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', over_us, 'LIMIT', 0, 32)) do
  gone[#gone + 1] = place
end
call_in_parts('HDEL', rows, gone)
call_in_parts('ZREM', order, gone)
call_in_parts('ZREM', ends, gone)

-- A partition in which every row ends goes as a whole, should nobody write to it again.
local count = redis.call('ZCARD', order)
local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')
local has_end = count > 0 and redis.call('ZCARD', ends) == count
for _, key in ipairs({order, rows, ends}) do
  if has_end then
    drop_after(key, tonumber(last[2]))
  else
    redis.call('PERSIST', key)
  end
end
if index then
  if count > 0 then
    redis.call('ZADD', index, 0, name)
  else
    redis.call('ZREM', index, name)
  end
  if has_end then
    redis.call('ZADD', index_ends, last[2], name)
  else
    redis.call('ZREM', index_ends, name)
  end
end
return remember(token, version)
