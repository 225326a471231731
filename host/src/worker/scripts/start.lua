-- Decides whether the job of a claim runs. The worker calls it after it has read the id and the
-- payload. If the job runs, its earlier result is removed.
--
-- KEYS: leases, claim, result, progress channel, running token, counts, success, end, cancel key,
--       prefix of claims.
-- ARGV: token, boot id, job id, SHA-256 of the payload, final progress event.
-- Returns one of:
--   - {'run', attempt, crashes}: the job runs
--   - {'cancelled', attempt, crashes}: the job has started like one that runs, but its cancellation
--     is requested, so the worker finishes it at once
--   - {'running', other token}: another attempt of this job runs the same payload, or a newer one,
--     or this claim is cancelled; the entry is dropped
--   - {'parked', other token}: another attempt of this job runs an older payload; the entry waits in
--     the claim of that attempt and is requeued when it ends
--   - {'overtaken', other token}: a later claim of this job has already ended; the entry is dropped
--   - {'done'}: this payload has already succeeded; the entry is dropped, and the event is
--     published again
--   - {'lost'}: the caller no longer holds the claim; nothing is written
-- A repeated call after a lost reply returns 'run' again and does not count a further attempt.
local leases, claim, result, channel, running, count, done, ended, cancel, claims = unpack(KEYS)
local token, boot, id, payload, event = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return {'lost'} end

-- Deletes the claim without writing a result, because another attempt has written or will write the
-- result of the job, or keeps the entry.
local function drop_entry()
  redis.call('ZREM', leases, token)
  redis.call('DEL', claim)
end

-- If a running token has no lease, it is left over from a lost attempt and does not block this
-- attempt.
local other = redis.call('GET', running)
if other and other ~= token and redis.call('ZSCORE', leases, other) then
  local other_claim = claims .. other
  local reply = {'running', other}
  -- The claim with the larger token was fetched later, so it has the newer payload. `newest` is the
  -- largest token of the job that has been compared with the running attempt.
  local newest = redis.call('HGET', other_claim, 'newest') or other
  if tonumber(token) > tonumber(newest) then
    redis.call('HSET', other_claim, 'newest', token)
    if redis.call('HGET', other_claim, 'payload') == payload then
      -- The payload of the running attempt is the newest one again.
      redis.call('HDEL', other_claim, 'next')
    elseif redis.call('HEXISTS', claim, 'cancel') == 0 then
      redis.call('HSET', other_claim, 'next', redis.call('HGET', claim, 'entry'))
      reply = {'parked', other}
    end
  end
  drop_entry()
  return reply
end
local later = later_end(token, ended)
if later then
  drop_entry()
  return {'overtaken', later}
end
-- If the backend has deleted the result, the job runs again.
if redis.call('GET', done) == payload and redis.call('EXISTS', result) == 1 then
  drop_entry()
  mark_end(ended, token)
  redis.call('DEL', cancel)
  redis.call('SET', channel, event, 'EX', 3600)
  redis.call('PUBLISH', channel, event)
  return {'done'}
end
-- The field `attempt` marks a claim whose job has started, so a repeated call changes nothing.
local attempt = redis.call('HGET', claim, 'attempt')
if not attempt then
  attempt = redis.call('HINCRBY', count, 'attempts', 1)
  redis.call('HSET', claim, 'id', id, 'attempt', attempt, 'payload', payload)
  redis.call('SET', running, token)
end
-- A backend that polls takes any value for the outcome of this run, so the result and the last event
-- of an earlier run are removed, together with the mark of its success. No attempt has written a
-- result since the start of this one, so a repeated call removes nothing new.
redis.call('DEL', result)
redis.call('DEL', channel)
redis.call('DEL', done)
if redis.call('DEL', cancel) == 1 then redis.call('HSET', claim, 'cancel', 'seen') end
local status = redis.call('HEXISTS', claim, 'cancel') == 1 and 'cancelled' or 'run'
return {status, tonumber(attempt), tonumber(redis.call('HGET', count, 'crashes') or 0)}
