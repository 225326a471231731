-- Ends expired claims of workers that vanished: their entries return to the end of the queue that
-- is popped from, or, after too many such losses, become dead letters with a failed result.
-- KEYS: queue, leases, dead letters, and the prefixes of claims, running tokens, counts, successes,
-- results and progress channels.
-- ARGV: not-after (ms of Redis' clock), push command, losses at which an entry becomes a dead
-- letter, seconds that results are kept (0 for forever), and as JSON objects the dead letter
-- without its entry, id and time, the result without its build_id, and the final event without its
-- job_id.
-- Returns a list of {'requeued' or 'dead', job id or '', worker id}. A call that Redis runs after
-- its not-after changes nothing: if Redis hung, renewals that were sent later than this call may
-- still be waiting.
local queue, leases, dead, claims, runnings, counts, dones, results, channels = unpack(KEYS)
local not_after, push, max_losses, ttl, letter, failed, last = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(not_after) then return {} end
redis.call('LLEN', queue)
redis.call('LLEN', dead)

local function with(field, id, object)
  return '{"' .. field .. '":' .. cjson.encode(id) .. ',' .. string.sub(object, 2)
end

local function fail(id)
  local key, channel = results .. id, channels .. id
  redis.call('SET', key, with('build_id', id, failed))
  if tonumber(ttl) > 0 then redis.call('EXPIRE', key, ttl) end
  redis.call('DEL', dones .. id, counts .. id)
  redis.call('SET', channel, with('job_id', id, last), 'EX', 3600)
  redis.call('PUBLISH', channel, with('job_id', id, last))
end

local reaped = {}
for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
  local claim = claims .. token
  local entry, id, worker = unpack(redis.call('HMGET', claim, 'entry', 'id', 'worker'))
  if entry then
    -- The loss of a duplicate that never started counts by its entry, not against the attempt that
    -- runs.
    local is_other = id and belongs_to_another(token, leases, runnings .. id, dones .. id, results .. id)
    local nameless = count_of_nameless(counts, entry)
    local count = id and not is_other and counts .. id or nameless
    local verdict = 'requeued'
    if redis.call('HINCRBY', count, 'vanished', 1) < tonumber(max_losses) then
      redis.call(push, queue, entry)
    else
      verdict = 'dead'
      add_dead_letter(dead, cjson.decode(letter), entry, id)
      if id and not is_other then fail(id) end
      redis.call('DEL', nameless)
    end
    if id and redis.call('GET', runnings .. id) == token then redis.call('DEL', runnings .. id) end
    table.insert(reaped, {verdict, id or '', worker or ''})
  end
  redis.call('ZREM', leases, token)
  redis.call('DEL', claim)
end
return reaped
