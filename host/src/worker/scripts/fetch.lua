-- Moves one entry from the queue into a new claim: a token, a lease, and a hash with the entry and
-- its holder.
--
-- Order: Redis does not roll back a script that fails halfway. The entry therefore leaves the queue
-- in the last step, and a step that fails undoes the steps before it. A failure never loses an
-- entry.
--
-- KEYS: queue, leases, fence, prefix of claims.
-- ARGV: pop command, index of the entry that it removes (0 or -1), lease in ms, worker id, boot id
--       of the worker process, highest token that this process has received (0: none), maximum
--       number of bytes of the entry to return.
-- Returns {token, start of the entry, number of entries that still wait}, or nil if the queue is
-- empty.
local queue, leases, fence = unpack(KEYS, 1, 3)
local pop, index, lease, worker, boot, highest, max_bytes = unpack(ARGV)
local entry = redis.call('LINDEX', queue, index)
if not entry then return false end
local n_waiting = redis.call('LLEN', queue) - 1
local time = redis.call('TIME')
-- A new token must be larger than every token that was issued before. If Redis has reverted to an
-- older state (a snapshot, a lagging replica) and lost its latest tokens, the clock is larger than
-- these tokens. If the clock has been set back, the fence is larger than its earlier times. If both
-- have happened, `highest` covers the tokens of this process, and boot ids distinguish the tokens
-- of others. Lua numbers are exact up to 2^53. From this limit on, adding 1 has no effect and the
-- loop below would never terminate, so tokens must stay well below it. A fence that is not a number
-- from 0 to 2^52 was written by another program and is ignored. The clock's microseconds reach 2^52
-- in the year 2112.
local last = tonumber(redis.call('GET', fence) or 0) or 0
if not (last >= 0 and last < 2 ^ 52) then last = 0 end
local micros = time[1] * 1000000 + time[2]
local next_token = math.max(last + 1, micros, highest + 1)
-- If only the fence was lost, the next token may belong to a live claim. A claim is never replaced.
while redis.call('HEXISTS', KEYS[4] .. string.format('%.0f', next_token), 'entry') == 1 do
  next_token = next_token + 1
end
local token = string.format('%.0f', next_token)
-- The fence is not reset if a later step fails. An unused token is harmless, but a token that is
-- issued twice is not.
redis.call('SET', fence, token)
local claim = KEYS[4] .. token
-- The hash may contain a cancel flag for an earlier claim that Redis has lost. The hash is deleted,
-- because the flag must not apply to this claim.
redis.call('DEL', claim)
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + lease
for _, step in ipairs({
  {'HSET', claim, 'entry', entry, 'worker', worker, 'boot', boot},
  {'ZADD', leases, expiry, token},
  {pop, queue},
}) do
  -- Instead of stopping the script, `pcall` returns an error, for example if a key has another
  -- type.
  local reply = redis.pcall(unpack(step))
  if type(reply) == 'table' and reply.err then
    redis.pcall('DEL', claim)
    redis.pcall('ZREM', leases, token)
    return reply
  end
end
-- The claim contains the whole entry, but the reply is cut. The worker refuses an entry that is too
-- large, so it needs only the start.
return {token, string.sub(entry, 1, max_bytes), n_waiting}
