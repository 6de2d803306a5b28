-- One change of one counter: a hash with value, version and the sums of the active holds;
-- `holds` has amount and end of each hold, `hold_ends` sorts them by end.
-- KEYS: counter, holds, hold_ends, clock, token. Further arguments: what to do.
local counter, holds, hold_ends, clock, token = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local known = recall(token)
if known then
  return known
end

local stored = redis.call('HMGET', counter, 'value', 'held_increase', 'held_decrease')
local value, up, down = parse(stored[1] or '0'), parse(stored[2] or '0'), parse(stored[3] or '0')

-- Adds to the sum of holds on the side of its sign.
local function hold_more(amount, is_up)
  if is_up then
    up = add(up, amount)
  else
    down = add(down, amount)
  end
end

-- What this change counts as gone is removed, and stays gone should the clock step back.
local over = redis.call('ZRANGEBYSCORE', hold_ends, '-inf', digits(now_us))
local is_over = {}
for _, id in ipairs(over) do
  is_over[id] = true
  local amount = parse(string.match(redis.call('HGET', holds, id), '^(%S+) '))
  hold_more(negate(amount), sign(amount) > 0)
end

local function held(id)
  local hold = not is_over[id] and redis.call('HGET', holds, id)
  return hold and string.match(hold, '^(%S+) ')
end

local function refuse(bound, limit, asked)
  return {'bound', bound, limit, spell(value), spell(up), spell(down), asked}
end

-- Checks a step against the bound that it moves toward, with all holds counted.
local function trouble_of(asked, floor, ceiling)
  local amount = parse(asked)
  if sign(amount) > 0 and is_less(parse(ceiling), add(add(value, up), amount)) then
    return refuse('ceiling', ceiling, asked)
  elseif sign(amount) < 0 and is_less(add(add(value, down), amount), parse(floor)) then
    return refuse('floor', floor, asked)
  end
end

local MAX, MIN = parse('9223372036854775807'), parse('-9223372036854775808')
local new_hold, new_end, ended
local kind = take()
if kind == 'increment' then
  local delta, floor, ceiling = take(), take(), take()
  local trouble = trouble_of(delta, floor, ceiling)
  if trouble then
    return trouble
  end
  value = add(value, parse(delta))
elseif kind == 'reserve' then
  local amount, id, end_us, floor, ceiling = take(), take(), take(), take(), take()
  if sign(parse(amount)) == 0 then
    return {'nothing'}
  elseif held(id) then
    return {'exists'}
  end
  local trouble = trouble_of(amount, floor, ceiling)
  if trouble then
    return trouble
  end
  hold_more(parse(amount), sign(parse(amount)) > 0)
  if is_less(MAX, up) then
    return refuse('ceiling', spell(MAX), amount)
  elseif is_less(down, MIN) then
    return refuse('floor', spell(MIN), amount)
  end
  new_hold, new_end = {id, amount .. ' ' .. end_us}, end_us
else
  local id = take()
  local amount = held(id)
  if not amount then
    return {'missing'}
  end
  local part = kind == 'commit' and take() or amount
  if part == '' then
    part = amount
  end
  local whole, some = parse(amount), parse(part)
  local is_up = sign(whole) > 0
  local is_too_much = is_up and is_less(whole, some) or not is_up and is_less(some, whole)
  if is_too_much or sign(some) * sign(whole) < 0 then
    return {'part', amount, part}
  end
  if kind == 'commit' then
    local sum = add(value, some)
    if is_less(MAX, sum) or is_less(sum, MIN) then
      return refuse('ceiling', '9223372036854775807', part)
    end
    value = sum
  end
  hold_more(negate(whole), is_up)
  ended = id
end

local version = next_version(clock)
redis.call('SET', clock, version)
call_in_parts('HDEL', holds, over)
call_in_parts('ZREM', hold_ends, over)
if ended then
  redis.call('HDEL', holds, ended)
  redis.call('ZREM', hold_ends, ended)
end
if new_hold then
  redis.call('HSET', holds, new_hold[1], new_hold[2])
  redis.call('ZADD', hold_ends, new_end, new_hold[1])
end
local texts = {spell(value), spell(up), spell(down), version}
redis.call('HSET', counter, '@version', version, 'value', texts[1], 'held_increase', texts[2],
  'held_decrease', texts[3])
return remember(token, table.concat(texts, ' ') .. ' ' .. (new_end or '-'))
