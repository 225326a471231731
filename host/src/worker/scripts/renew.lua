-- Extends a lease, also an expired one that nobody has reaped.
-- KEYS: queue. ARGV: token, lease in ms. Answers 'held', 'cancelled' (still held, but an end is asked for) or 'lost'.
local tag = '{' .. KEYS[1] .. '}'
local token = ARGV[1]
if not redis.call('ZSCORE', tag .. ':leases', token) then return 'lost' end
local time = redis.call('TIME')
redis.call('ZADD', tag .. ':leases', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], token)
if redis.call('HEXISTS', tag .. ':job:' .. token, 'cancel') == 1 then return 'cancelled' end
return 'held'
