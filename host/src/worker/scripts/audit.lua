-- Checks the invariant of a queue: every entry is in the list, under a lease, or finished. Writes
-- nothing.
--
-- KEYS: queue, leases, and the prefixes of claims, running tokens, counts, results and payloads.
-- ARGV: two JSON lists: the tokens of all claims, and the ids of all jobs that have counts. The caller
--       collects both with SCAN before the call, so some of them may be gone meanwhile.
-- Returns a JSON object: n_waiting, n_claims, and findings, a list of {problem, id, token}.
local queue, leases, claims, runnings, counts, results, payloads = unpack(KEYS)
local tokens, ids = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local findings = {}
local function report(problem, id, token)
  table.insert(findings, {problem = problem, id = id or cjson.null, token = token or cjson.null})
end

-- The claims that exist: token, entry, next entry, id, and whether the job has started.
local found, is_found = {}, {}
local function read_claim(token)
  if is_found[token] then return end
  is_found[token] = true
  local entry, newer, id, attempt = unpack(redis.call('HMGET', claims .. token, 'entry', 'next', 'id', 'attempt'))
  local lease = redis.call('ZSCORE', leases, token)
  if entry and not lease then report('claim_without_lease', id, token) end
  if lease and not entry then report('lease_without_claim', id, token) end
  -- A live worker reaps within a few seconds, but waits for the duration of a lease after an outage.
  if lease and tonumber(lease) < now - 600000 then report('lease_not_reaped', id, token) end
  if entry then table.insert(found, {token = token, entry = entry, newer = newer, id = id, is_started = attempt}) end
end
for _, token in ipairs(redis.call('ZRANGE', leases, 0, -1)) do read_claim(token) end
for _, token in ipairs(tokens) do read_claim(token) end

local started = {}
for _, claim in ipairs(found) do
  if claim.is_started then
    if started[claim.id] then report('started_twice', claim.id, claim.token) end
    started[claim.id] = true
    if redis.call('GET', runnings .. claim.id) ~= claim.token then report('not_marked_as_running', claim.id, claim.token) end
    if redis.call('EXISTS', results .. claim.id) == 1 then report('result_of_running_job', claim.id, claim.token) end
  end
end

-- A job has counts from its first start until it has a result.
local is_queued = index_entries(queue)
for _, id in ipairs(ids) do
  local payload_key = payloads .. id
  local is_held = false
  for _, claim in ipairs(found) do
    is_held = is_held or claim.id == id or is_entry_of(claim.entry, id, payload_key)
  end
  if not is_held and redis.call('EXISTS', counts .. id) == 1 and not is_queued(id, payload_key) then
    report('lost_job', id)
  end
end

-- An empty table has no type in Lua, so the list is written as an array explicitly.
local list = #findings == 0 and '[]' or cjson.encode(findings)
return string.format('{"n_waiting":%d,"n_claims":%d,"findings":%s}', redis.call('LLEN', queue), #found, list)
