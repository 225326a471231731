-- Takes entries out of the hands of workers that vanished: back to the end they are taken from, or, after too many
-- such losses, to the dead letters with a failed result beside.
-- KEYS: queue. ARGV: push command, most losses, prefix of results, seconds that results are kept (0 for ever), and as
-- JSON objects the dead letter, the result without its build_id, the final event without its job_id.
-- Answers a list of {'requeued' or 'dead', id or '', worker}.
local queue = KEYS[1]
local push, most, prefix, ttl, note, result, event = unpack(ARGV)
local tag = '{' .. queue .. '}'
local leases = tag .. ':leases'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function with(field, id, object)
  return '{"' .. field .. '":' .. cjson.encode(id) .. ',' .. string.sub(object, 2)
end

local function fail(id)
  local key, channel = prefix .. ':' .. id, 'oculus:training:progress:' .. id
  redis.call('SET', key, with('build_id', id, result))
  if tonumber(ttl) > 0 then redis.call('EXPIRE', key, ttl) end
  redis.call('DEL', tag .. ':done:' .. id)
  redis.call('SET', channel, with('job_id', id, event), 'EX', 3600)
  redis.call('PUBLISH', channel, with('job_id', id, event))
end

local function bury(entry, id)
  local letter = cjson.decode(note)
  letter.entry, letter.id, letter.time = entry, id or cjson.null, tonumber(time[1])
  redis.call('LPUSH', tag .. ':dead', cjson.encode(letter))
  if id then fail(id) end
end

local reaped = {}
for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
  local job = tag .. ':job:' .. token
  local entry, id, worker = unpack(redis.call('HMGET', job, 'entry', 'id', 'worker'))
  if entry then
    local count = tag .. ':count:' .. (id or '#' .. redis.sha1hex(entry))
    local verdict = 'requeued'
    if redis.call('HINCRBY', count, 'vanished', 1) < tonumber(most) then
      redis.call(push, queue, entry)
    else
      verdict = 'dead'
      bury(entry, id)
      redis.call('DEL', count)
    end
    if id and redis.call('GET', tag .. ':running:' .. id) == token then redis.call('DEL', tag .. ':running:' .. id) end
    table.insert(reaped, {verdict, id or '', worker or ''})
  end
  redis.call('ZREM', leases, token)
  redis.call('DEL', job)
end
return reaped
