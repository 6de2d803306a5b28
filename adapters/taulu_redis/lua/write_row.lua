-- One unit on one row of a kv table: a hash with a field per column.
-- KEYS: row, clock, token; and of a table that can be scanned, index and ends.
-- Further arguments: how other rows' keys begin, this row's name, conditions, mutations.
local row, clock, token, index, ends = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local row_prefix, name = take(), take()

local known = recall(token)
if known then
  return known
end

local stored = redis.call('HMGET', row, '@version', '@expires')
local version, expires = stored[1] or nil, stored[2] or ''
local is_alive = version ~= nil and (expires == '' or tonumber(expires) > now_us)
if not is_alive then
  version, expires = nil, ''
end

for i = 1, tonumber(take()) do
  local is_so = holds(version, function(column)
    return redis.call('HGET', row, column)
  end)
  if not is_so then
    return {'condition', i - 1, version or '0'}
  end
end

local is_replaced = not is_alive
local has_new_end = not is_alive
local sets, clears = {}, {}

local function set_columns()
  for _ = 1, tonumber(take()) do
    local column, value = take(), take()
    sets[column], clears[column] = value, nil
  end
end

local function clear_columns()
  for _ = 1, tonumber(take()) do
    local column = take()
    sets[column], clears[column] = nil, true
  end
end

for _ = 1, tonumber(take()) do
  local kind = take()
  if kind == 'update' then
    local end_if_made, end_if_kept = take(), take()
    if not is_alive then
      expires, has_new_end = end_if_made, true
    elseif end_if_kept ~= '' then
      expires, has_new_end = end_if_kept, true
    end
    is_alive = true
    set_columns()
    clear_columns()
  else
    is_replaced, sets, clears = true, {}, {}
    is_alive = kind == 'put'
    if is_alive then
      expires, has_new_end = take(), true
      set_columns()
    end
  end
end

version = next_version(clock)
redis.call('SET', clock, version)
if is_replaced then
  redis.call('DEL', row)
end
if is_alive then
  local fields, gone = {'@version', version}, {}
  if expires ~= '' then
    fields[3], fields[4] = '@expires', expires
  end
  for column, value in pairs(sets) do
    fields[#fields + 1], fields[#fields + 2] = column, value
  end
  for column in pairs(clears) do
    gone[#gone + 1] = column
  end
  call_in_parts('HSET', row, fields)
  if not is_replaced then
    call_in_parts('HDEL', row, gone)
  end
  if has_new_end and expires ~= '' then
    drop_after(row, tonumber(expires))
  end
end

if index then
  if is_alive then
    redis.call('ZADD', index, 0, name)
  else
    redis.call('ZREM', index, name)
  end
  if is_alive and expires ~= '' then
    redis.call('ZADD', ends, expires, name)
  else
    redis.call('ZREM', ends, name)
  end
  -- Every write takes a few rows along whose time is over.
  local over = redis.call('ZRANGEBYSCORE', ends, '-inf', digits(now_us - margin_us), 'LIMIT', 0, 4)
  for _, other in ipairs(over) do
    redis.call('UNLINK', row_prefix .. other)
    redis.call('ZREM', index, other)
    redis.call('ZREM', ends, other)
  end
end
return remember(token, version)
