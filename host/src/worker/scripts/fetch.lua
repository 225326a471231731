-- Moves one entry from the queue into a new claim: a token, a lease, and a hash with the entry and
-- its holder.
--
-- Order: Redis does not roll back a script that fails halfway. The entry therefore leaves the queue
-- in the last step, and a step that fails undoes the steps before it. A failure never loses an
-- entry.
--
-- If the entry is a plain id, the script also stores the id in the claim and returns the payload.
-- This saves two calls for the usual form of an entry. The worker makes these calls for all others.
--
-- KEYS: queue, leases, fence, prefix of claims, pause, and the prefixes of results, progress channels,
--       running tokens, successes, ends and payloads.
-- ARGV: pop command, index of the entry that it removes (0 or -1), lease in ms, worker id, boot id
--       of the worker process, highest token that this process has received (0: none), maximum
--       number of bytes of the entry to return.
-- Returns one of:
--   - {'claimed', token, start of the entry, number of entries that still wait, 1 if the id is stored
--     or 0, payload or '' if the worker has to read it}
--   - {'empty'}: the queue contains no entry
--   - {'paused'}: an operator has paused the queue
local queue, leases, fence, claims, paused, results, channels, runnings, dones, ends, payloads = unpack(KEYS)
local pop, index, lease, worker, boot, highest, max_bytes = unpack(ARGV)

-- A payload up to this size is returned with its claim.
local MAX_INLINE_PAYLOAD = 65536

-- Stores the id of a claim whose entry is a plain id. Returns an error if a key has another type.
local function try_to_name(claim, token, id)
  return pcall(name_claim, claim, token, id, leases, runnings .. id, dones .. id, ends .. id, results .. id,
    channels .. id)
end

-- Returns the payload at a key if it is a string that is not too large, and '' otherwise.
local function small_payload(key)
  local length = redis.pcall('STRLEN', key)
  if type(length) ~= 'number' or length > MAX_INLINE_PAYLOAD then return '' end
  -- The entry has left the queue, so an error must not stop the script.
  local payload = redis.pcall('GET', key)
  return type(payload) == 'string' and payload or ''
end

if redis.call('EXISTS', paused) == 1 then return {'paused'} end
local entry = redis.call('LINDEX', queue, index)
if not entry then return {'empty'} end
local n_waiting = redis.call('LLEN', queue) - 1
local token = issue_token(fence, claims, highest)
local claim = claims .. token
local ends_at = lease_end(lease)
for _, step in ipairs({
  {'HSET', claim, 'entry', entry, 'worker', worker, 'boot', boot, 'at', ends_at - lease},
  {'ZADD', leases, ends_at, token},
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
-- The payload's key is not an id, so an entry with the prefix of payloads is not plain.
local is_plain = #entry <= 200 and string.find(entry, '^[%w:._-]+$') and string.sub(entry, 1, #payloads) ~= payloads
local is_named = is_plain and try_to_name(claim, token, entry)
-- The claim contains the whole entry, but the reply is cut. The worker refuses an entry that is too
-- large, so it needs only the start.
return {'claimed', token, string.sub(entry, 1, max_bytes), n_waiting, is_named and 1 or 0,
  is_named and small_payload(payloads .. entry) or ''}
