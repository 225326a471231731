-- Says what a fetched entry is, once its id has been read.
-- KEYS: leases, job in hand, result, progress channel, running token, counts, success. ARGV: token, id, SHA-256 of the
-- payload, final progress event.
-- Answers {'run', attempt, crashes}, {'running', other token}, {'done'} or {'lost'}; after 'running' and 'done' the
-- entry is acknowledged, and after 'done' its `complete` event published again. Asked again after an answer that was
-- lost on its way, it says 'run' again and counts nothing.
local leases, job, result, channel, running, count, done = unpack(KEYS)
local token, id, payload, event = unpack(ARGV)
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
if redis.call('GET', done) == payload and redis.call('EXISTS', result) == 1 then
  acknowledge()
  redis.call('SET', channel, event, 'EX', 3600)
  redis.call('PUBLISH', channel, event)
  return {'done'}
end
local attempt = redis.call('HGET', job, 'attempt')
if not attempt then
  attempt = redis.call('HINCRBY', count, 'attempts', 1)
  redis.call('HSET', job, 'id', id, 'attempt', attempt)
  redis.call('SET', running, token)
end
return {'run', tonumber(attempt), tonumber(redis.call('HGET', count, 'crashes') or 0)}
