-- Reads requests to cancel a job, and keeps them. This file is prepended to RENEW, WATCH, FINISH and
-- REAP.

-- Returns whether the job of a claim is to be cancelled: by the field `cancel` of the claim, or by the
-- job's cancel key. A cancellation also ends a newer payload of the job that waits for the claim, but
-- not one that is pushed after the cancellation was read.
--
-- A claim whose job has not started leaves the key for another claim, which may be running the job, or
-- for its own start.
local function is_cancelled(claim, cancels, fence)
  local id, flag, attempt = unpack(redis.call('HMGET', claim, 'id', 'cancel', 'attempt'))
  if id and attempt and redis.call('DEL', cancels .. id) == 1 then flag = flag or '1' end
  if not flag then return false end
  if flag ~= 'seen' then
    -- No claim that exists now may start the job after this attempt.
    redis.call('HSET', claim, 'cancel', 'seen', 'newest', redis.call('GET', fence) or 0)
    redis.call('HDEL', claim, 'next')
  end
  return true
end

-- Keeps the cancellation of a claim whose entry is requeued, because the job must not run again. The
-- next attempt reads the cancel key at its start.
local function keep_cancellation(claim, cancel)
  if redis.call('HEXISTS', claim, 'cancel') == 1 then redis.call('SET', cancel, '1', 'EX', 86400) end
end
