-- A place of the shared cache is one hash. Each variant has up to three fields: `facts:` of its
-- entry (as_of, version, end, run), `entry:`, and `lease:` (end, name, run). Ends are by this
-- server's clock. What another run of a server left is void: one that took over, or came back,
-- may have missed a drop.
local place = KEYS[1]
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end

local run = take()
if run == '' then
  return redis.error_reply('NORUN the run of this server is not known')
end

local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function digits(number)
  return string.format('%.0f', number)
end

local function facts_of(variant)
  local facts = redis.call('HGET', place, 'facts:' .. variant)
  if not facts then
    return nil
  end
  local as_of, version, ends, of = string.match(facts, '^(%-?%d+) (%-?%d+) (%d+) (%S+)$')
  return {
    as_of = tonumber(as_of),
    version = tonumber(version),
    is_over = of ~= run or tonumber(ends) <= now_us,
  }
end

local function forget(variant)
  redis.call('HDEL', place, 'facts:' .. variant, 'entry:' .. variant)
end

-- The name of the lease that is running, if any.
local function lease_of(variant)
  local lease = redis.call('HGET', place, 'lease:' .. variant)
  if not lease then
    return nil
  end
  local ends, name, of = string.match(lease, '^(%d+) (%S+) (%S+)$')
  if of == run and tonumber(ends) > now_us then
    return name
  end
  return nil
end

-- The place is gone by itself once nothing in it can be of use.
local function stay_for(left_us)
  local left_ms = math.max(1, math.min(math.ceil(left_us / 1000), 1e14))
  if redis.call('PTTL', place) < left_ms then
    redis.call('PEXPIRE', place, digits(left_ms))
  end
end
