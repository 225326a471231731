-- Extends a lease, also an expired one that nobody has reaped.
-- KEYS: leases, job in hand. ARGV: token, lease in ms. Answers 'held', 'cancelled' (still held, but an end is asked for)
-- or 'lost'.
local leases, job = KEYS[1], KEYS[2]
local token, lease = ARGV[1], ARGV[2]
if not redis.call('ZSCORE', leases, token) then return 'lost' end
local time = redis.call('TIME')
redis.call('ZADD', leases, time[1] * 1000 + math.floor(time[2] / 1000) + lease, token)
if redis.call('HEXISTS', job, 'cancel') == 1 then return 'cancelled' end
return 'held'
