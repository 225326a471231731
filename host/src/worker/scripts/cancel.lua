-- Cancels a job on request of an operator, wherever it is: in the queue, claimed or running.
--
-- A waiting job ends here: its entries are removed and its cancelled result is stored. Its end is
-- marked with a new token, so no worker that was separated from Redis restores the job. A claimed
-- or running job is ended by its worker, which reads the request within a second.
--
-- Order: the result is stored before the entries are removed, so a script that fails halfway loses
-- no job.
--
-- KEYS: queue, leases, fence, prefix of claims; the job's result, progress channel, running token,
--       counts, success, end and cancel key.
-- ARGV: name of the job as the operator gave it, job id, default key of the payload, number of
--       seconds for which a request is kept, number of seconds for which results are kept (0 for
--       forever), the cancelled result ('' to return the entry of a waiting job first), the final
--       event, SHA-256 of the payload, and the entry of the list of recent results in JSON.
-- Returns one of:
--   - {'running', {tokens}, {workers}, n}: the workers of these claims end the job; n entries were
--     removed from the queue
--   - {'claimed', {tokens}, {workers}, n}: as above, but no attempt has started yet
--   - {'queued', start of the entry}: the job waits; call again with the result
--   - {'cancelled', n}: n entries were removed and the result is stored
--   - {'succeeded', n}: n entries were removed; their payload has already succeeded, and its result
--     is unchanged
--   - {'ended'}: the job has a result, or had one; nothing is changed
--   - {'unknown'}: Redis does not know the job; nothing is changed
local queue, leases, fence, claims, result_key, channel, running, count, done, ended, cancel = unpack(KEYS)
local name, id, payload_key, request_ttl, result_ttl, result, event, payload, recent = unpack(ARGV)

local function is_own(entry)
  return is_entry_of(entry, name, payload_key) or (id ~= name and is_entry_of(entry, id, payload_key))
end

-- Marks the claims of the job. The mark `seen` also ends the payloads that have been pushed so far,
-- but not one that is pushed after this script.
local function cancel_claims()
  local tokens, workers, is_running = {}, {}, false
  for _, token in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    local claim = claims .. token
    local entry, claim_id, worker, attempt = unpack(redis.call('HMGET', claim, 'entry', 'id', 'worker', 'attempt'))
    if entry and (claim_id == id or is_own(entry)) then
      redis.call('HSET', claim, 'cancel', 'seen')
      redis.call('HDEL', claim, 'next')
      -- No claim that exists now may start the job after the cancelled attempt.
      if attempt then redis.call('HSET', claim, 'newest', redis.call('GET', fence) or 0) end
      table.insert(tokens, token)
      table.insert(workers, worker or '')
      is_running = is_running or attempt
    end
  end
  return tokens, workers, is_running
end

redis.call('HLEN', count)
local entries = find_entries(queue, is_own)
local tokens, workers, is_running = cancel_claims()

local function remove_entries()
  local n_removed = 0
  for _, entry in ipairs(entries) do n_removed = n_removed + redis.call('LREM', queue, 0, entry) end
  return n_removed
end

if #tokens > 0 then
  -- A worker that vanishes before the start of its job leaves only this key.
  if not is_running then redis.call('SET', cancel, '1', 'EX', request_ttl) end
  return {is_running and 'running' or 'claimed', tokens, workers, remove_entries()}
end
if #entries == 0 then
  return {redis.call('EXISTS', result_key, ended) > 0 and 'ended' or 'unknown'}
end
if redis.call('GET', done) == payload and redis.call('EXISTS', result_key) == 1 then
  return {'succeeded', remove_entries()}
end
if result == '' then return {'queued', entries[1]} end
local token = issue_token(fence, claims, 0)
redis.call('SET', result_key, result)
if tonumber(result_ttl) > 0 then redis.call('EXPIRE', result_key, result_ttl) end
redis.call('DEL', done, count, cancel)
mark_end(ended, token)
-- A running token without a lease is left over from a lost attempt.
redis.call('DEL', running)
redis.call('SET', channel, event, 'EX', 3600)
redis.call('PUBLISH', channel, event)
add_recent(cjson.decode(recent), id, {})
return {'cancelled', remove_entries()}
