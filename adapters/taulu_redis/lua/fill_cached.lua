-- Keeps entries whose lease is still theirs; answers 1 for each that was kept, else 0.
-- KEYS: place. ARGV: run, then for each: variant, lease, as_of, version, ttl_us, entry.
local answers, longest_us = {}, 0
while at < #ARGV do
  local variant, lease, as_of, version = take(), take(), take(), take()
  local ttl_us, entry = tonumber(take()), take()
  if lease_of(variant) == lease then
    local facts = as_of .. ' ' .. version .. ' ' .. digits(now_us + ttl_us) .. ' ' .. run
    redis.call('HSET', place, 'facts:' .. variant, facts, 'entry:' .. variant, entry)
    redis.call('HDEL', place, 'lease:' .. variant)
    longest_us = math.max(longest_us, ttl_us)
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = 0
  end
end
if longest_us > 0 then
  stay_for(longest_us)
  -- Variants that nobody asks for again would stay as long as the place does: each fill looks at
  -- a few fields and removes what has ended, which is more than it adds.
  for _, field in ipairs(redis.call('HRANDFIELD', place, 12)) do
    local kind, variant = string.sub(field, 1, 6), string.sub(field, 7)
    if kind == 'facts:' and facts_of(variant).is_over then
      forget(variant)
    elseif kind == 'lease:' and not lease_of(variant) then
      redis.call('HDEL', place, field)
    end
  end
end
return answers
