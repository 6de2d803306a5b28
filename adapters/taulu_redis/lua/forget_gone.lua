-- Takes names out of a bucket's index whose rows Redis has dropped by itself.
-- KEYS: index, ends. ARGV: how the rows' keys begin, then names.
for i = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. ARGV[i]) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return {'done'}
