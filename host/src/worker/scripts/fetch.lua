-- Takes one entry and puts it into a worker's hands, under a new token with a lease.
-- KEYS: queue. ARGV: pop command, lease in ms, worker, most bytes of the entry to answer.
-- Answers {token, start of the entry}, or nothing when the queue is empty.
local queue = KEYS[1]
local tag = '{' .. queue .. '}'
local entry = redis.call(ARGV[1], queue)
if not entry then return false end
local time = redis.call('TIME')
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
-- Begun with the time in microseconds, so that tokens grow on even when Redis has lost its data.
redis.call('SET', tag .. ':fence', string.format('%d%06d', time[1], time[2]), 'NX')
local token = string.format('%.0f', redis.call('INCR', tag .. ':fence'))
redis.call('HSET', tag .. ':job:' .. token, 'entry', entry, 'worker', ARGV[3])
redis.call('ZADD', tag .. ':leases', expiry, token)
return {token, string.sub(entry, 1, ARGV[4])}
