-- Moves one entry from the queue into a new claim: a token, a lease, and a hash with the entry and
-- its holder.
--
-- Order: Redis does not roll back a script that fails halfway. The entry therefore leaves the queue
-- in the last step, and a step that fails undoes the steps before it. A failure never loses an
-- entry.
--
-- KEYS: queue, leases, fence, prefix of claims, pause.
-- ARGV: pop command, index of the entry that it removes (0 or -1), lease in ms, worker id, boot id
--       of the worker process, highest token that this process has received (0: none), maximum
--       number of bytes of the entry to return.
-- Returns one of:
--   - {'claimed', token, start of the entry, number of entries that still wait}
--   - {'empty'}: the queue contains no entry
--   - {'paused'}: an operator has paused the queue
local queue, leases, fence, claims, paused = unpack(KEYS)
local pop, index, lease, worker, boot, highest, max_bytes = unpack(ARGV)
if redis.call('EXISTS', paused) == 1 then return {'paused'} end
local entry = redis.call('LINDEX', queue, index)
if not entry then return {'empty'} end
local n_waiting = redis.call('LLEN', queue) - 1
local token = issue_token(fence, claims, highest)
local claim = claims .. token
for _, step in ipairs({
  {'HSET', claim, 'entry', entry, 'worker', worker, 'boot', boot},
  {'ZADD', leases, lease_end(lease), token},
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
return {'claimed', token, string.sub(entry, 1, max_bytes), n_waiting}
