-- Ends leases that are still theirs. KEYS: place. ARGV: run, then for each: variant, lease.
while at < #ARGV do
  local variant, lease = take(), take()
  if lease_of(variant) == lease then
    redis.call('HDEL', place, 'lease:' .. variant)
  end
end
return 1
