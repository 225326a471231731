-- Adds results to the list of recent results. No other file adds them. This file is prepended to
-- FINISH, REAP and CANCEL.

-- Adds the outcome of a job whose result has just been stored, and removes the oldest ones above
-- `recent.max_entries`. The list only informs operators, so it must not prevent a result from being
-- stored: every command is called with `pcall`, and the key is not one of KEYS, as in
-- `add_submission`.
--
-- `recent` has the fields key, max_entries, status and code. `claim` has the fields worker, attempt
-- and at (the time of the claim in ms since 1970); all of them may be absent.
local function add_recent(recent, id, claim)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local claimed_at = tonumber(claim.at)
  local result = {
    id = id,
    status = recent.status,
    code = recent.code or cjson.null,
    worker = claim.worker or cjson.null,
    attempt = tonumber(claim.attempt) or cjson.null,
    finished_at = now / 1000,
    seconds = claimed_at and math.max(0, now - claimed_at) / 1000 or cjson.null,
  }
  local n_entries = redis.pcall('LPUSH', recent.key, cjson.encode(result))
  if type(n_entries) == 'number' and n_entries > recent.max_entries then
    redis.pcall('LTRIM', recent.key, 0, recent.max_entries - 1)
  end
end
