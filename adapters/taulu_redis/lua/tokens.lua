-- An idempotency token is a key of its own: the fingerprint of its effect, and what came of it.
local fingerprint = take()
local remember_ms = take()

local function recall(token_key)
  local remembered = redis.call('GET', token_key)
  if not remembered then
    return nil
  end
  if string.sub(remembered, 1, #fingerprint) ~= fingerprint then
    return {'reused'}
  end
  return {'done', string.sub(remembered, #fingerprint + 2)}
end

local function remember(token_key, outcome)
  redis.call('SET', token_key, fingerprint .. ' ' .. outcome, 'PX', remember_ms)
  return {'done', outcome, 'first'}
end
