-- Extends a lease. An expired lease that has not been reaped is extended too. No other worker can
-- hold the claim until REAP removes it, so the work done so far is kept.
--
-- KEYS: leases, claim, prefix of cancel keys. ARGV: token, boot id, lease in ms. Returns 'held', 'cancelled' (the claim is
-- still held, but cancellation is requested), or 'lost' if the caller no longer holds the claim;
-- then nothing is written.
local leases, claim, cancels = unpack(KEYS)
local token, boot, lease = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return 'lost' end
local time = redis.call('TIME')
-- A cancelled claim is extended too, because the worker needs the claim to submit the result
-- `cancelled`.
redis.call('ZADD', leases, time[1] * 1000 + math.floor(time[2] / 1000) + lease, token)
if is_cancelled(claim, cancels) then return 'cancelled' end
return 'held'
