-- Says what a fetched entry is, once its id has been read.
-- KEYS: queue, result. ARGV: token, id, SHA-256 of the payload, final progress event.
-- Answers {'run', attempt, crashes}, {'running', other token}, {'done'} or {'lost'}; after 'running' and 'done' the
-- entry is acknowledged, and after 'done' its `complete` event published again.
local queue, result = KEYS[1], KEYS[2]
local token, id, payload, event = unpack(ARGV)
local tag = '{' .. queue .. '}'
local leases, job = tag .. ':leases', tag .. ':job:' .. token
local running, count = tag .. ':running:' .. id, tag .. ':count:' .. id
if not redis.call('ZSCORE', leases, token) then return {'lost'} end

local function acknowledge()
  redis.call('ZREM', leases, token)
  redis.call('DEL', job)
end

local other = redis.call('GET', running)
if other and other ~= token and redis.call('ZSCORE', leases, other) then
  acknowledge()
  return {'running', other}
end
if redis.call('GET', tag .. ':done:' .. id) == payload and redis.call('EXISTS', result) == 1 then
  acknowledge()
  local channel = 'oculus:training:progress:' .. id
  redis.call('SET', channel, event, 'EX', 3600)
  redis.call('PUBLISH', channel, event)
  return {'done'}
end
redis.call('SET', running, token)
local attempt = redis.call('HINCRBY', count, 'attempts', 1)
redis.call('HSET', job, 'id', id, 'attempt', attempt)
return {'run', attempt, tonumber(redis.call('HGET', count, 'crashes') or 0)}
