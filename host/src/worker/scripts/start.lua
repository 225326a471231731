-- Decides whether a claim runs, once its job id and payload have been read.
-- KEYS: leases, claim, result, progress channel, running token, counts, success.
-- ARGV: token, boot id, job id, SHA-256 of the payload, final progress event.
-- Returns one of:
--   {'run', attempt, crashes}
--   {'running', other token}: another attempt of this job runs; the entry is acknowledged
--   {'done'}: this payload has succeeded before; the entry is acknowledged, the event published again
--   {'lost'}: the caller no longer holds the claim; nothing is written
-- A repeated call after a lost answer returns 'run' again and counts no further attempt.
local leases, claim, result, channel, running, count, done = unpack(KEYS)
local token, boot, id, payload, event = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return {'lost'} end

local function acknowledge()
  redis.call('ZREM', leases, token)
  redis.call('DEL', claim)
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
local attempt = redis.call('HGET', claim, 'attempt')
if not attempt then
  attempt = redis.call('HINCRBY', count, 'attempts', 1)
  redis.call('HSET', claim, 'id', id, 'attempt', attempt)
  redis.call('SET', running, token)
end
return {'run', tonumber(attempt), tonumber(redis.call('HGET', count, 'crashes') or 0)}
