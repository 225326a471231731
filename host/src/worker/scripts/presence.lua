-- Reports that a worker process is alive, and reads the request to drain it. Reports that are too
-- old are removed.
--
-- KEYS: workers (sorted set of boot ids by the time of their last report in ms), report of this
--       worker, request to drain this worker.
-- ARGV: boot id, report in JSON ('' if the worker stops), number of ms for which a report is kept.
-- Returns the request to drain the worker, or nil.
local workers, report, drain = unpack(KEYS)
local boot, text, ttl = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if text == '' then
  redis.call('ZREM', workers, boot)
  redis.call('DEL', report, drain)
  return false
end
redis.call('ZADD', workers, now, boot)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - ttl)
redis.call('SET', report, text, 'PX', ttl)
return redis.call('GET', drain)
