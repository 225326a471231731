-- Restores a claim that Redis has lost, because it has reverted to an older state (a snapshot, a
-- lagging replica), while the worker still holds the job or its result. The worker calls it only if
-- another server answers than the one that last confirmed its lease.
--
-- The claim is restored only if Redis knows no other trace of the job: no other claim, no entry in
-- the queue, and no result that is not older than the claim. Otherwise the job is safe without this
-- worker, and a second accepted result must not follow.
--
-- KEYS: queue, leases, fence, prefix of claims, dead letters; if the id is known, also the job's
--       result, progress channel, running token, counts, success and end.
-- ARGV: token and boot id of the lost claim, id of the worker, lease in ms, highest token that this
--       process has received, entry, job id ('' if unknown), default key of the payload, key and text
--       of the payload ('' if they are unknown or the entry contains the payload), and, if the job has
--       started, attempt, crashes and SHA-256 of the payload.
-- Returns {'adopted', token}, {'held', token} if the claim still exists, or {'fenced'}.
local queue, leases, fence, claims, dead, result, channel, running, count, done, ended = unpack(KEYS)
local token, boot, worker, lease, highest, entry, id, payload_key = unpack(ARGV, 1, 8)
local stored_at, text, attempt, crashes, payload = unpack(ARGV, 9, 13)
-- The worker counts the lease from this call, whether or not it is a repetition.
local function hold(held)
  redis.call('ZADD', leases, 'XX', lease_end(lease), held)
  return {'held', held}
end

if is_holder(leases, claims .. token, token, boot) then return hold(token) end

-- An earlier call may have adopted the claim, and its reply was lost. Otherwise, a claim of the job,
-- or of an equal entry whose id has not been read yet, is another attempt.
for _, other in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
  local fields = redis.call('HMGET', claims .. other, 'entry', 'id', 'boot', 'adopted')
  if fields[3] == boot and fields[4] == token then return hold(other) end
  if fields[1] == entry or (id ~= '' and fields[2] == id) then return {'fenced'} end
end

local function is_own(queued) return queued == entry or (id ~= '' and is_entry_of(queued, id, payload_key)) end
if find_entry(queue, is_own) then return {'fenced'} end

if id ~= '' then
  local last = redis.call('GET', ended)
  if last and tonumber(last) >= tonumber(token) then return {'fenced'} end
  -- A result without the token of its attempt may be newer than the claim.
  if not last and redis.call('EXISTS', result) == 1 then return {'fenced'} end
else
  -- An entry without an id leaves nothing but a dead letter.
  for _, letter in ipairs(redis.call('LRANGE', dead, 0, 99)) do
    local is_json, value = pcall(cjson.decode, letter)
    if is_json and type(value) == 'table' and value.entry == entry then return {'fenced'} end
  end
end

local adopted = issue_token(fence, claims, highest)
local claim = claims .. adopted
-- The lost token is the time of the first claim in microseconds.
local claimed_at = math.floor(tonumber(token) / 1000)
redis.call('HSET', claim, 'entry', entry, 'worker', worker, 'boot', boot, 'adopted', token, 'at', claimed_at)
if id ~= '' then redis.call('HSET', claim, 'id', id) end
redis.call('ZADD', leases, lease_end(lease), adopted)
if attempt then
  redis.call('HSET', claim, 'attempt', attempt, 'payload', payload)
  redis.call('SET', running, adopted)
  -- The counts of the job may be lost or older.
  for name, value in pairs({attempts = attempt, crashes = crashes}) do
    local stored = tonumber(redis.call('HGET', count, name) or 0)
    if stored < tonumber(value) then redis.call('HSET', count, name, value) end
  end
  -- These are of an earlier run. Redis had removed them when this run started.
  redis.call('DEL', result, channel, done)
end
-- The producer's payload may be lost too. A user without the right to write it keeps the claim.
if stored_at ~= '' and redis.call('EXISTS', stored_at) == 0 then redis.pcall('SET', stored_at, text) end
return {'adopted', adopted}
