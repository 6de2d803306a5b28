-- Arguments are taken one after another. Numbers of microseconds fit a double exactly until
-- the year 2255; nothing larger is ever made a Lua number and written back.
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end

local now_us = tonumber(take())
local margin_us = tonumber(take())

local function digits(number)
  return string.format('%.0f', number)
end

-- A version above every one that was given out in this bucket, whatever the clock does.
local function next_version(clock_key)
  local last = tonumber(redis.call('GET', clock_key) or '0')
  if last >= now_us then
    return digits(last + 1)
  end
  return digits(now_us)
end

-- Redis drops the key by its own clock, some time after the row has expired by ours.
local function drop_after(key, end_us)
  local left_ms = math.ceil((end_us - now_us + margin_us) / 1000)
  redis.call('PEXPIRE', key, digits(math.max(1, math.min(left_ms, 1e14))))
end

-- Lua passes only so many arguments at once.
local function call_in_parts(command, key, arguments)
  for from = 1, #arguments, 2000 do
    redis.call(command, key, unpack(arguments, from, math.min(from + 1999, #arguments)))
  end
end
