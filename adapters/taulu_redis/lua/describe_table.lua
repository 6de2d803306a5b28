-- Puts a table's description down if it is still as the caller read it.
-- KEYS: description. ARGV: as it was read, or nothing; as it shall be.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
