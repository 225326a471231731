-- Decides whether the job of a claim runs. The worker calls it after it has read the id and the
-- payload. If the job runs, its earlier result is removed.
--
-- KEYS: leases, claim, result, progress channel, running token, counts, success.
-- ARGV: token, boot id, job id, SHA-256 of the payload, final progress event.
-- Returns one of:
--   - {'run', attempt, crashes}: the job runs
--   - {'running', other token}: another attempt of this job is running; the entry is dropped
--   - {'done'}: this payload has already succeeded; the entry is dropped, and the event is
--     published again
--   - {'lost'}: the caller no longer holds the claim; nothing is written
-- A repeated call after a lost reply returns 'run' again and does not count a further attempt.
local leases, claim, result, channel, running, count, done = unpack(KEYS)
local token, boot, id, payload, event = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return {'lost'} end

-- Deletes the claim without writing a result, because another attempt has written or will write the
-- result of the job.
local function drop_entry()
  redis.call('ZREM', leases, token)
  redis.call('DEL', claim)
end

-- If a running token has no lease, it is left over from a lost attempt and does not block this
-- attempt.
local other = redis.call('GET', running)
if other and other ~= token and redis.call('ZSCORE', leases, other) then
  drop_entry()
  return {'running', other}
end
-- If the backend has deleted the result, the job runs again.
if redis.call('GET', done) == payload and redis.call('EXISTS', result) == 1 then
  drop_entry()
  redis.call('SET', channel, event, 'EX', 3600)
  redis.call('PUBLISH', channel, event)
  return {'done'}
end
-- The field `attempt` marks a claim whose job has started, so a repeated call changes nothing.
local attempt = redis.call('HGET', claim, 'attempt')
if not attempt then
  attempt = redis.call('HINCRBY', count, 'attempts', 1)
  redis.call('HSET', claim, 'id', id, 'attempt', attempt)
  redis.call('SET', running, token)
end
-- A backend that polls takes any value for the outcome of this run, so the result and the last event
-- of an earlier run are removed, together with the mark of its success. No attempt has written a
-- result since the start of this one, so a repeated call removes nothing new.
redis.call('DEL', result)
redis.call('DEL', channel)
redis.call('DEL', done)
return {'run', tonumber(attempt), tonumber(redis.call('HGET', count, 'crashes') or 0)}
