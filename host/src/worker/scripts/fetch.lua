-- Moves one entry from the queue into a new claim: a token, a lease, and a hash with the entry and
-- its holder. Redis does not roll back a script that fails, so the entry leaves the queue last, and
-- a failed step undoes the steps before it.
-- KEYS: queue, leases, fence, prefix of claims. ARGV: pop command, index of the end that it pops
-- from (0 or -1), lease in ms, worker id, boot id of the worker process, highest token that this
-- process has received (0: none), maximum bytes of the entry to return.
-- Returns {token, start of the entry}, or nil if the queue is empty.
local queue, leases, fence = unpack(KEYS, 1, 3)
local pop, index, lease, worker, boot, highest, max_bytes = unpack(ARGV)
local entry = redis.call('LINDEX', queue, index)
if not entry then return false end
local time = redis.call('TIME')
-- Redis may have returned from an older state (snapshot, lagging replica) and forgotten its latest
-- tokens. The clock puts a new token above those; the last token covers a clock that went back, and
-- `highest` covers both at once for this process.
-- Lua numbers are exact up to 2^53. A token must stay well below that: from there on adding 1
-- changes nothing, and the loop below would never end. So a fence that is not a number from 0 to
-- 2^52, which the clock's microseconds reach in the year 2112, is ignored: another program wrote it.
local last = tonumber(redis.call('GET', fence) or 0) or 0
if not (last >= 0 and last < 2 ^ 52) then last = 0 end
local micros = time[1] * 1000000 + time[2]
local next_token = math.max(last + 1, micros, highest + 1)
-- If the fence was lost on its own, a live claim may hold the next token: claims are never replaced.
while redis.call('HEXISTS', KEYS[4] .. string.format('%.0f', next_token), 'entry') == 1 do
  next_token = next_token + 1
end
local token = string.format('%.0f', next_token)
redis.call('SET', fence, token)
local claim = KEYS[4] .. token
-- A cancel flag that was set for a claim which Redis has forgotten does not apply to this one.
redis.call('DEL', claim)
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + lease
for _, step in ipairs({
  {'HSET', claim, 'entry', entry, 'worker', worker, 'boot', boot},
  {'ZADD', leases, expiry, token},
  {pop, queue},
}) do
  local answer = redis.pcall(unpack(step))
  if type(answer) == 'table' and answer.err then
    redis.pcall('DEL', claim)
    redis.pcall('ZREM', leases, token)
    return answer
  end
end
return {token, string.sub(entry, 1, max_bytes)}
