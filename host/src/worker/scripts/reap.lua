-- Finishes expired claims of workers that have vanished. Their entries are requeued in front of all
-- waiting entries. After too many vanished workers, an entry becomes a dead letter, and its job
-- gets a failed result.
--
-- Order: for each claim, the entry is pushed before the claim is deleted. If the script fails
-- between the two steps, the entry may run twice, but it is not lost.
--
-- KEYS: queue, leases, dead letters, and the prefixes of claims, running tokens, counts, successes,
--       ends, results, progress channels and cancel keys.
-- ARGV: not-after (ms of Redis' clock), push command, number of vanished workers at which an entry
--       becomes a dead letter, number of seconds for which results are kept (0 for forever), and
--       four JSON objects: the dead letter without its entry, id and time, the result without its
--       build_id, the final event without its job_id, and the entry of the list of recent results
--       (key, max_entries, status and code).
-- Returns a list of {'requeued' or 'dead', job id or '', worker id}.
--
-- A call that Redis runs later than not-after changes nothing. Redis may have hung, and renewals of
-- live workers may still wait behind this call.
local queue, leases, dead, claims, runnings, counts, dones, ends, results, channels, cancels = unpack(KEYS)
local not_after, push, max_vanished, ttl, letter, failed, last, recent = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(not_after) then return {} end
-- If one of these keys has another type, the script stops here, before anything is written.
redis.call('LLEN', queue)
redis.call('LLEN', dead)

-- Adds a field at the start of a JSON object. The object is not decoded, so the rest of its text
-- stays as the worker wrote it.
local function with_field(field, id, object)
  return '{"' .. field .. '":' .. cjson.encode(id) .. ',' .. string.sub(object, 2)
end

-- Stores the failed result of a job and publishes its final event.
local function fail(id, token, claim)
  local key, channel = results .. id, channels .. id
  redis.call('SET', key, with_field('build_id', id, failed))
  if tonumber(ttl) > 0 then redis.call('EXPIRE', key, ttl) end
  redis.call('DEL', dones .. id, counts .. id, cancels .. id)
  mark_end(ends .. id, token)
  redis.call('SET', channel, with_field('job_id', id, last), 'EX', 3600)
  redis.call('PUBLISH', channel, with_field('job_id', id, last))
  add_recent(cjson.decode(recent), id, claim)
end

local reaped = {}
-- A call finishes at most 100 claims, because Redis runs no other command while a script runs. The
-- next round finishes the remaining claims.
for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
  local claim = claims .. token
  local entry, id, worker, newer, attempt, at =
    unpack(redis.call('HMGET', claim, 'entry', 'id', 'worker', 'next', 'attempt', 'at'))
  -- If the claim's hash is gone, there is nothing to requeue, and only the lease is removed.
  if entry then
    -- If another attempt of the job is running or has succeeded, this claim is a duplicate that
    -- never started. The vanished worker is then counted under the hash of the entry, not for the
    -- job.
    local is_other = id and belongs_to_another(token, leases, runnings .. id, dones .. id, results .. id, ends .. id)
    local nameless = count_of_nameless(counts, entry)
    local count = id and not is_other and counts .. id or nameless
    local status = 'requeued'
    if newer then
      -- A newer payload replaces the one of the vanished worker, and starts with new counts.
      redis.call(push, queue, newer)
      redis.call('DEL', counts .. id)
    elseif redis.call('HINCRBY', count, 'vanished', 1) < tonumber(max_vanished) then
      redis.call(push, queue, entry)
      if id then keep_cancellation(claim, cancels .. id) end
    else
      status = 'dead'
      add_dead_letter(dead, cjson.decode(letter), entry, id)
      if id and not is_other then
        fail(id, redis.call('HGET', claim, 'newest') or token, {worker = worker, attempt = attempt, at = at})
      end
      redis.call('DEL', nameless)
    end
    if id and redis.call('GET', runnings .. id) == token then redis.call('DEL', runnings .. id) end
    table.insert(reaped, {status, id or '', worker or ''})
  end
  redis.call('ZREM', leases, token)
  redis.call('DEL', claim)
end
return reaped
