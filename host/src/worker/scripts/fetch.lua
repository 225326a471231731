-- Takes one entry and puts it into a worker's hands, under a new token with a lease. Lua takes nothing back when it
-- fails half-way, so the entry leaves the list last, and what came before is undone.
-- KEYS: queue, leases, fence, prefix of jobs in hand. ARGV: pop command, its end as an index (0 or -1), lease in ms,
-- worker, most bytes of the entry to answer.
-- Answers {token, start of the entry}, or nothing when the queue is empty.
local queue, leases, fence = unpack(KEYS, 1, 3)
local pop, index, lease, worker, most = unpack(ARGV)
local entry = redis.call('LINDEX', queue, index)
if not entry then return false end
local time = redis.call('TIME')
-- Begun with the time in microseconds, so that tokens grow on even when Redis has lost its data.
redis.call('SET', fence, string.format('%d%06d', time[1], time[2]), 'NX')
local token = string.format('%.0f', redis.call('INCR', fence))
local job = KEYS[4] .. token
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + lease
for _, step in ipairs({
  {'HSET', job, 'entry', entry, 'worker', worker},
  {'ZADD', leases, expiry, token},
  {pop, queue},
}) do
  local answer = redis.pcall(unpack(step))
  if type(answer) == 'table' and answer.err then
    redis.pcall('DEL', job)
    redis.pcall('ZREM', leases, token)
    return answer
  end
end
return {token, string.sub(entry, 1, most)}
