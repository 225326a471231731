-- Extends a lease. An expired lease that has not been reaped is extended too. No other worker can
-- hold the claim until REAP removes it, so the work done so far is kept.
--
-- KEYS: leases, claim, prefix of cancel keys, fence.
-- ARGV: token, boot id, lease in ms, 1 if the job has started or 0.
-- Returns one of:
--   - 'held'
--   - 'cancelled': the claim is still held, but cancellation is requested
--   - 'reverted': the claim is still held, but Redis has reverted to a state before the start of the
--     job, and the caller has to repeat START
--   - 'lost': the caller no longer holds the claim; nothing is written
local leases, claim, cancels, fence = unpack(KEYS)
local token, boot, lease, is_started = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return 'lost' end
local time = redis.call('TIME')
-- A cancelled claim is extended too, because the worker needs the claim to submit the result
-- `cancelled`.
redis.call('ZADD', leases, time[1] * 1000 + math.floor(time[2] / 1000) + lease, token)
if is_started == '1' and redis.call('HEXISTS', claim, 'attempt') == 0 then return 'reverted' end
if is_cancelled(claim, cancels, fence) then return 'cancelled' end
return 'held'
