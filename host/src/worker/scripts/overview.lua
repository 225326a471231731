-- Reads the state of a queue at one moment. Writes nothing.
--
-- KEYS: queue, leases, prefix of claims, dead letters, pause, recent results, workers, prefix of
--       workers.
-- ARGV: index of the next entry (0 or -1), largest number of entries, of claims and of results to
--       return, largest number of bytes of an entry to return.
-- Returns {time in ms, number of waiting entries, waiting entries (the next one first), number of
-- claims, claims, pause or '', number of dead letters, recent results (newest first), workers}. A
-- claim is {token, end of the lease in ms, entry, worker, id, attempt, time of the claim in ms,
-- cancel, 1 if a newer payload waits}; absent fields are ''. A worker is {time of its last report
-- in ms, JSON}.
local queue, leases, claims, dead, paused, recent, workers, worker = unpack(KEYS)
local next_index, max_entries, max_claims, max_results, max_bytes = unpack(ARGV)
local time = redis.call('TIME')

local entries = {}
if next_index == '0' then
  entries = redis.call('LRANGE', queue, 0, max_entries - 1)
elseif max_entries ~= '0' then
  local reversed = redis.call('LRANGE', queue, -max_entries, -1)
  for index = #reversed, 1, -1 do table.insert(entries, reversed[index]) end
end
for index, entry in ipairs(entries) do entries[index] = string.sub(entry, 1, max_bytes) end

local held = {}
local tokens = max_claims == '0' and {} or redis.call('ZRANGE', leases, 0, max_claims - 1, 'WITHSCORES')
for index = 1, #tokens, 2 do
  local token = tokens[index]
  local fields = redis.call('HMGET', claims .. token, 'entry', 'worker', 'id', 'attempt', 'at', 'cancel', 'next')
  for field = 1, 7 do fields[field] = fields[field] or '' end
  local newer = fields[7] ~= '' and '1' or ''
  table.insert(held, {token, tokens[index + 1], string.sub(fields[1], 1, max_bytes), fields[2], fields[3], fields[4],
    fields[5], fields[6], newer})
end

local fleet = {}
local seen = redis.call('ZREVRANGE', workers, 0, 999, 'WITHSCORES')
for index = 1, #seen, 2 do
  local report = redis.call('GET', worker .. seen[index])
  if report then table.insert(fleet, {seen[index + 1], report}) end
end

-- A pause that another program has stored may have any type.
local is_paused = redis.call('EXISTS', paused) == 1
local pause = is_paused and redis.pcall('GET', paused) or ''
if type(pause) ~= 'string' then pause = '{}' end
if is_paused and pause == '' then pause = '{}' end

return {
  time[1] * 1000 + math.floor(time[2] / 1000),
  redis.call('LLEN', queue), entries,
  redis.call('ZCARD', leases), held,
  pause,
  redis.call('LLEN', dead),
  max_results == '0' and {} or redis.call('LRANGE', recent, 0, max_results - 1),
  fleet,
}
