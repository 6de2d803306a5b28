-- A counter's fields, and the amounts of holds that have ended but are still counted in them.
-- KEYS: counter, holds, hold_ends. ARGV: now.
local found = redis.call('HMGET', KEYS[1], 'value', 'held_increase', 'held_decrease', '@version')
for i = 1, 4 do
  found[i] = found[i] or '0'
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1])) do
  found[#found + 1] = string.match(redis.call('HGET', KEYS[2], id), '^(%S+) ')
end
return found
