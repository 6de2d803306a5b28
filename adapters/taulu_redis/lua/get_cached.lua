-- Answers every ask: the entry, 1 for a lease, 0 where another has it.
-- KEYS: place. ARGV: run, lease_us, lease, then for each ask: variant, as_of_min, version_min or ''.
local lease_us, lease = tonumber(take()), take()
local answers, has_leased = {}, false
while at < #ARGV do
  local variant, as_of_min, version_min = take(), tonumber(take()), tonumber(take())
  local facts = facts_of(variant)
  if facts and facts.is_over then
    forget(variant)
    facts = nil
  end
  if facts and (facts.as_of >= as_of_min or (version_min and facts.version >= version_min)) then
    answers[#answers + 1] = redis.call('HGET', place, 'entry:' .. variant)
  else
    local holder = lease_of(variant)
    -- One's own lease is answered again when the ask is sent again.
    if holder and holder ~= lease then
      answers[#answers + 1] = 0
    else
      local ends = digits(now_us + lease_us)
      redis.call('HSET', place, 'lease:' .. variant, ends .. ' ' .. lease .. ' ' .. run)
      answers[#answers + 1] = 1
      has_leased = true
    end
  end
end
if has_leased then
  stay_for(lease_us)
end
return answers
