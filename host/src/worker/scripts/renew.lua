-- Extends a lease, including an expired one that has not been reaped.
-- KEYS: leases, claim. ARGV: token, boot id, lease in ms.
-- Returns 'held', 'cancelled' (still held, but cancellation is requested), or 'lost' if the caller
-- no longer holds the claim: then nothing is written.
local leases, claim = KEYS[1], KEYS[2]
local token, boot, lease = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return 'lost' end
local time = redis.call('TIME')
redis.call('ZADD', leases, time[1] * 1000 + math.floor(time[2] / 1000) + lease, token)
if redis.call('HEXISTS', claim, 'cancel') == 1 then return 'cancelled' end
return 'held'
